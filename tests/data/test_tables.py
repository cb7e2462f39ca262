"""The two CSV files of own data, and everything that can be wrong with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.tables import SegmentRow, VideoRow, rare, read_segments, read_videos, slips
from gad_lightning.errors import DataError

HEADER = "video,start,end,label\n"


def segments(folder: Path, text: str) -> list[SegmentRow]:
    """Read ``text`` as a ``segments.csv``."""
    path = folder / "segments.csv"
    path.write_text(text, encoding="utf-8")
    return read_segments(path)


def videos(folder: Path, text: str) -> dict[str, VideoRow]:
    """Read ``text`` as a ``videos.csv``."""
    path = folder / "videos.csv"
    path.write_text(text, encoding="utf-8")
    return read_videos(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b,training,,", r"videos\.csv, line 3: the split 'training' is unknown.*\n.*train, val, test"),
        ("a,train,,", r"videos\.csv, line 3: the video 'a' stands twice"),
    ],
)
def test_a_bad_row_of_videos_csv_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        videos(tmp_path, f"video,split,goal,group\na,train,make tea,kim\n{row}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video;start;stop;label\n", r"segments\.csv has no column 'end'; its first line is 'video,start"),
        ("video,start,stop,label\n", r"has no column 'end'"),
        ("", r"has no column 'video'; its first line is ''"),
    ],
)
def test_a_file_without_the_columns_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        segments(tmp_path, text)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "segments.csv").write_bytes(f"{HEADER}a,1,2,rühren\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"segments\.csv is no CSV file in UTF-8"):
        read_segments(tmp_path / "segments.csv")


def test_a_quote_that_is_not_closed_is_refused_and_not_filled_with_what_follows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"segments.csv, line 2: .*\nTo fix it: close the quote"):
        segments(tmp_path, f'{HEADER}a,1,2,"stir\na,3,4,pour\nb,1,2,pour\n')


def test_spaces_before_quotes_and_empty_rows_of_tables_are_left_out(tmp_path: Path) -> None:
    found = segments(tmp_path, f'{HEADER}a,1,2,pour\nb, 2.0, 3.0, "stir, slowly"\n,,,\n  \n')
    assert [row.label for row in found] == ["pour", "stir, slowly"]


@pytest.mark.parametrize(
    "label",
    [
        "ru\u0308hren",
        " r\u00fchren ",
        "r\u00fchren\u200b",
        "\ufeffr\u00fchren",
        "r\u00fch\u00adren",
        "\u00a0r\u00fchren\t",
    ],
    ids=["NFD", "spaces", "zero width", "byte order mark", "soft hyphen", "no-break space"],
)
def test_a_label_is_what_a_person_reads(tmp_path: Path, label: str) -> None:
    (row,) = segments(tmp_path, f'{HEADER}a,1,2,"{label}"\n')
    assert row.label == "r\u00fchren"


def test_words_keep_their_joiners_and_one_space_between_them(tmp_path: Path) -> None:
    (row,) = segments(
        tmp_path, f"{HEADER}a,1,2,add  \u00a0salt\u2003\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\n"
    )
    assert row.label == "add salt \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"


@pytest.mark.parametrize(
    "header", ["video,start,end,label,label", "video, label ,start,end,label", "video,video,start,end,label"]
)
def test_a_column_that_stands_twice_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match=r"segments\.csv has 2 columns named '(label|video)'.*\n.*keep one of them"):
        segments(tmp_path, header + "\na,1,2,stir,pour\n")
    with pytest.raises(DataError, match=r"videos\.csv has 2 columns named 'split'"):
        videos(tmp_path, "video,split,split\na,train,val\n")
    with pytest.raises(DataError, match=r"(?s)has the columns 'label' and 'Label', which differ.*rename the other"):
        segments(tmp_path, "video,start,end,label,Label\na,1,2,stir,pour\n")


def test_columns_without_a_name_may_be_many(tmp_path: Path) -> None:
    (row,) = segments(tmp_path, "video,start,end,label,,\na,1,2,stir,x,y\n")
    assert row.label == "stir"


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"stir": 9, "sitr": 1}, [("sitr", "stir")]),
        ({"stir": 9, "stirr": 3}, [("stirr", "stir")]),
        ({"stir": 9, "sitr": 4}, []),  # too frequent for a slip
        ({"pour": 9, "sour milk": 1, "pot": 1}, []),
        ({"step 1": 9, "step 2": 1}, []),
        ({"open the door": 9, "opne teh door": 1}, [("opne teh door", "open the door")]),
    ],
)
def test_a_label_that_is_nearly_a_frequent_one_is_found(counts: dict[str, int], found: list[tuple[str, str]]) -> None:
    assert list(slips(counts)) == found


def test_labels_of_one_or_two_segments_are_told_the_first_of_them_by_name() -> None:
    assert rare({"stir": 3}) == ""
    assert "'label 4', ...)" in rare({"stir": 3, **{f"label {number}": 2 for number in range(6)}})


def test_tables_of_spreadsheets_are_read_with_semicolons_decimal_commas_clocks_and_capitals(tmp_path: Path) -> None:
    (row,) = segments(tmp_path, "\ufeffVideo;Start;End;Label;Note\r\na;1,5;0:01:02,5;stir;well, well\r\n")
    assert row[:4] == ("a", 1.5, 62.5, "stir")
    assert videos(tmp_path, "Video;Split;Group\na;Test;kim\n".replace("Test", "test")) == {
        "a": VideoRow("test", "", "kim")
    }
