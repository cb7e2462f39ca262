"""SubRip: files of pysubs2, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.base import Annotation, LabeledVideo
from gad_lightning.data.formats.srt import FORMAT
from tests.data.formats.reading import read_file, rows

pysubs2 = pytest.importorskip("pysubs2", reason="pysubs2 is not installed")


def test_a_file_of_pysubs2_is_read_without_its_marks(tmp_path: Path) -> None:
    made = pysubs2.SSAFile()
    made.append(pysubs2.SSAEvent(start=1000, end=2500, text=r"{\i1}add salt{\i0}"))
    found = rows(tmp_path, "a.srt", made.to_string("srt"))
    assert found == [("a", 1.0, 2.5, "add salt")]


def test_pysubs2_reads_what_is_written() -> None:
    text = FORMAT.write([LabeledVideo("a", (Annotation("a", 1.0, 62.25, "add salt, slowly"),), 4.0)])
    (event,) = pysubs2.SSAFile.from_string(text, "srt")
    assert (event.start, event.end, event.text) == (1000, 62250, "add salt, slowly")


def test_a_cue_whose_time_is_no_number_is_counted(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nstir\n\n2\n00:00:xx,000 --> 00:00:04,000\npour\n"
    (said,) = read_file(tmp_path, "a.srt", text).left_out
    assert said == "left out 1 x a time that is no number, first line 6"


def test_cues_without_an_empty_line_or_spaces_between_are_told_apart(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nstir\n2\n00:00:03,000-->00:00:04,000\npour\n"
    assert rows(tmp_path, "a.srt", text) == [("a", 1.0, 2.0, "stir"), ("a", 3.0, 4.0, "pour")]
