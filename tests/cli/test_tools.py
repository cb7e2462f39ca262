"""Every file with a ``main`` among the tools is a command."""

from __future__ import annotations

import pytest

from gad_lightning.cli.tools import find_tools, run_tool


def test_the_tools_are_found_with_a_line_each() -> None:
    found = find_tools()
    assert {"check_data", "compare", "encode", "export", "fetch", "report", "watch"} <= set(found)
    assert all(found.values())


def test_an_option_that_a_tool_does_not_have_ends_with_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_tool("export", ["x.ckpt", "x.pt2", "--nope=https://me:pw123@host"])
    told = capsys.readouterr().err
    assert "gad-lightning export" in told
    assert "pw123" not in told
