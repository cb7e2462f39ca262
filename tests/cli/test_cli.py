"""The commands: what is there, which errors have no traceback, and that Ctrl-C ends cleanly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gad_lightning.cli import STOPPED, main, overview, run, run_beside_sdk
from tests.cli.runs import python


def test_help_and_the_list_of_tools_load_no_torch() -> None:
    done = python("-c", "import sys, gad_lightning.cli as c; c.main(['--help']); assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr
    assert all(f"\n  {name} " in done.stdout for name in ("fit", "validate", "test", "predict"))


def test_the_module_is_the_command_and_without_arguments_prints_help() -> None:
    done = python("-m", "gad_lightning")
    assert (done.returncode, done.stdout) == (0, overview())


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fti"])
    assert "there is no command 'fti'" in capsys.readouterr().err


def test_an_error_of_the_user_leaves_no_traceback(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gad-lightning", "fit", config, "--data.short_memory=0"])
    with pytest.raises(
        SystemExit, match=r"^SettingError: data\.short_memory .*got 0\.\nTo fix it: raise data\.short_memory$"
    ):
        run()


@pytest.mark.usefixtures("outside", "ctrl_c_restored")
def test_ctrl_c_ends_with_130(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gad-lightning", "fit", config, "--trainer.callbacks=my_package.CtrlC"])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == STOPPED


def test_the_lightning_script_hands_on_what_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = tmp_path / "stand_in-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[console_scripts]\nlightning = stand_in:main\n")
    (tmp_path / "stand_in.py").write_text("def main():\n    raise SystemExit('the other one')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["lightning", "login"])
    with pytest.raises(SystemExit, match="the other one"):
        run_beside_sdk()
    monkeypatch.setattr(sys, "argv", ["lightning"])
    run_beside_sdk()
    assert capsys.readouterr().out == overview()
