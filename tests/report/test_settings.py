"""Configs on the page: what differs, and nothing that is secret."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.report.markup import written
from gad_lightning.report.runs import RunTraces, read_run
from gad_lightning.report.settings import configs
from tests.report.making import write_run


def traces(folder: Path, config: dict[str, object]) -> RunTraces:
    """A run of a config."""
    run = write_run(folder, [0], [0])
    return read_run(run, run / "predictions")._replace(config=config)


def test_only_what_differs_is_in_the_table(tmp_path: Path) -> None:
    one = traces(tmp_path / "one", {"seed": 0, "data": {"fps": 4, "root": "a"}})
    two = traces(tmp_path / "two", {"seed": 0, "data": {"fps": 8, "root": "a"}, "more": [1]})
    found = configs([one, two])
    assert found is not None
    rows = ["".join(row.itertext()) for row in found.iter("tr")]
    assert rows == ["settingonetwo", "data.fps48", "more-[1]"]


def test_passwords_in_addresses_are_hidden(tmp_path: Path) -> None:
    found = configs([traces(tmp_path / "one", {"source": "rtsp://cook:secret@kitchen/1"})])
    assert found is not None
    assert "secret" not in written(found)
    assert "kitchen/1" in written(found)


def test_runs_without_a_config_have_no_section(tmp_path: Path) -> None:
    assert configs([traces(tmp_path / "one", {})]) is None


def test_secrets_of_a_config_that_was_written_by_hand_are_hidden(tmp_path: Path) -> None:
    runs = [
        traces(tmp_path / name, {"logger": {"api_key": f"clear-{name}", "note": f"hf_ClearClear{name}"}, "seed": name})
        for name in ("one", "two")
    ]
    found = configs(runs)
    assert found is not None
    assert "lear" not in written(found)
    assert ["".join(row.itertext()) for row in found.iter("tr")] == ["settingonetwo", "seedonetwo"]
