"""The page as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.report.page import MADE_BY, page_of
from gad_lightning.report.runs import read_run
from tests.report.making import Checker, write_run


def test_the_first_columns_are_the_standard_metrics(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, 1])
    text = page_of([read_run(run, run / "predictions")], "a title")
    said = Checker(text).said
    said = said[said.index("within 1 s.") :]
    places = [said.index(heading) for heading in ("segment-F1", "point-F1", "Top-1", "calibration error")]
    assert places == sorted(places)
    assert "Segment-F1 at IoU 0.1, point-F1 within 1 s." in text
    assert MADE_BY in text[:2000]


def test_timelines_beyond_the_limit_are_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, 1])
    assert (
        "The first 0 of 1 videos; --videos shows more."
        in Checker(page_of([read_run(run, run / "predictions")], "", 0)).said
    )


def test_no_run_is_refused() -> None:
    with pytest.raises(SettingError, match="no run to report on"):
        page_of([], "")


def test_a_video_that_is_there_plays_beside_its_timeline(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, 1], video="tea")
    traces = [read_run(run, run / "predictions")]
    text = page_of(traces, "", source_of={"tea": "../tea.mp4"}.get)
    assert Checker(text).wrong == ["video src=../tea.mp4#t=0.001"]
    assert "fetches nothing but the videos" in text
    assert "<video" not in page_of(traces, "", source_of={"soup": "../soup.mp4"}.get)
    assert "media-src" not in page_of(traces, "")


def test_the_checkpoint_that_predicted_is_named_where_it_is_known(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, 1])
    traces = read_run(run, run / "predictions")
    assert "checkpoint" not in Checker(page_of([traces], "")).said
    named = Checker(page_of([traces._replace(checkpoint="best.ckpt")], "")).said
    assert "Predicted by the checkpoints: run best.ckpt." in named
