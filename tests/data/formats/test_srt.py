"""SubRip: files of pysubs2, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.base import Annotation, LabeledVideo
from gad_lightning.data.formats.srt import FORMAT
from tests.data.formats.reading import rows

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
