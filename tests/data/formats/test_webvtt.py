"""WebVTT: files of webvtt-py, marks, and clocks of any length."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.base import Annotation, LabeledVideo
from gad_lightning.data.formats.webvtt import FORMAT
from tests.data.formats.reading import rows

webvtt = pytest.importorskip("webvtt", reason="webvtt-py is not installed")


def test_a_file_of_webvtt_py_is_read(tmp_path: Path) -> None:
    made = webvtt.WebVTT()
    made.captions.append(webvtt.Caption("00:00:01.000", "00:00:02.500", "add salt"))
    made.captions.append(webvtt.Caption("01:00:01.000", "01:00:02.000", "stir"))
    made.save(str(tmp_path / "a.vtt"))
    found = rows(tmp_path, "b.vtt", (tmp_path / "a.vtt").read_text(encoding="utf-8"))
    assert found == [("b", 1.0, 2.5, "add salt"), ("b", 3601.0, 3602.0, "stir")]


def test_webvtt_py_reads_what_is_written(tmp_path: Path) -> None:
    found = (Annotation("a", 1.0, 2.0004, "salt & <pepper>"), Annotation("a", 0.0, 0.5, "stir"))
    (tmp_path / "a.vtt").write_text(FORMAT.write([LabeledVideo("a", found, 4.0)]), encoding="utf-8")
    back = [(cue.start, cue.end, cue.raw_text) for cue in webvtt.read(str(tmp_path / "a.vtt"))]
    assert back == [
        ("00:00:00.000", "00:00:00.500", "stir"),
        ("00:00:01.000", "00:00:02.000", "salt &amp; &lt;pepper&gt;"),
    ]


def test_marks_settings_notes_and_short_clocks_are_no_labels(tmp_path: Path) -> None:
    text = "WEBVTT - made by hand\n\nNOTE stir -> later\n\n00:01.000 --> 00:02.000 align:start\n<v Kim>add\nsalt</v>\n"
    assert rows(tmp_path, "a.vtt", text) == [("a", 1.0, 2.0, "add salt")]
