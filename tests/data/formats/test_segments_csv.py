"""segments.csv in the forms that spreadsheets write, and the segments of predict."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.registry import read_annotations
from tests.data.formats.reading import read_file, rows, rows_of

EXPECTED = [("a", 1.5, 62.5, "stir")]


@pytest.mark.parametrize(
    "text",
    [
        "video,start,end,label\na,1.5,62.5,stir\n",
        "\ufeffVideo;Start;End;Label;Notes\r\na;1,5;62,5;stir;well, well\r\n;;;;\r\n",
        "VIDEO\tSTART\tEND\tLABEL\na\t0:00:01.5\t0:01:02,5\tstir\n",
        'label,video,"end",start,color\n"stir",a.mp4,00:01:02.500,00:00:01.500,red\n',
    ],
    ids=["plain", "semicolons and decimal commas", "tabs and clocks", "other order"],
)
def test_a_table_is_read_however_a_spreadsheet_writes_it(text: str, tmp_path: Path) -> None:
    assert rows(tmp_path, "x.csv", text) == EXPECTED


def test_unicode_text_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("Video\tStart\tEnd\tLabel\r\na\t1,5\t62,5\tr\u00fchren\r\n".encode("utf-16"))
    found = read_annotations(["x.csv"], tmp_path).annotations
    assert rows_of(found) == [("a", 1.5, 62.5, "r\u00fchren")]


def test_the_segments_of_predict_are_read_with_their_scores(tmp_path: Path) -> None:
    header = "video,task,start_frame,end_frame,start_seconds,end_seconds,label,score\n"
    reading = read_file(tmp_path, "segments.csv", f"{header}a,action,6,250,1.5,62.5,'=stir,0.75\n").reading
    assert reading.annotations[0][:5] == ("a", 1.5, 62.5, "=stir", 0.75)
