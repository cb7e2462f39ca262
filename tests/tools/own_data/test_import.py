"""gad-lightning import: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gad_lightning.cli import main
from gad_lightning.data.own import OwnVideos
from gad_lightning.errors import GadError

CUES = (("01,000", "02,000", "stir"), ("01,500", "03,000", "stir"), ("05,000", "05,000", "x"))
SRT = "\n".join(f"{number}\n00:00:{a} --> 00:00:{b}\n{label}\n" for number, (a, b, label) in enumerate(CUES, 1))
DATABASE = {"database": {"b": {"subset": "testing", "annotations": [{"segment": [0, 2], "label": "pour"}]}}}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Subtitles of the video a and a database of the video b."""
    (tmp_path / "a.srt").write_text(SRT, encoding="utf-8")
    (tmp_path / "all.json").write_text(json.dumps(DATABASE), encoding="utf-8")
    return tmp_path


def test_what_was_taken_merged_and_left_out_is_said_with_the_reason(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["import", str(files / "*.srt"), str(files / "all.json"), str(files / "my_data")])
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    assert ["a.srt", "SubRip", "2", "1"] in lines
    assert ["all.json", "ActivityNet", "1", "0"] in lines
    assert "left out 1 x an instant without length (--point_seconds gives it one), first line 10" in said
    assert "1 stretches overlapped or repeated another one of their label: merged" in said
    assert "2 of 2 videos are not in" in said
    assert f"next: gad-lightning start {files / 'my_data'}" in said
    written = (files / "my_data" / "segments.csv").read_text(encoding="utf-8")
    assert written == "video,start,end,label\na,1.0,3.0,stir\nb,0.0,2.0,pour\n"
    data = OwnVideos(files / "my_data")
    assert data.class_names == ["background", "pour", "stir"]
    assert {name: row.split for name, row in (data.listed_videos or {}).items()} == {"a": "train", "b": "test"}


def test_a_segments_csv_that_is_there_stays_unless_it_is_to_be_replaced(files: Path) -> None:
    words = ["import", str(files / "a.srt"), str(files / "my_data")]
    main(words)
    with pytest.raises(GadError, match=r"segments\.csv is there already.*\n.*--overwrite=true"):
        main(words)
    main([*words, "--overwrite=true", "--point_seconds=0.5"])
    assert "a,5.0,5.5,x" in (files / "my_data" / "segments.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.srt"], r"no folder to import into.*\n.*the folder of your data last"),
        (["a.srt", "all.json"], r"the last of 2 paths is .*all\.json"),
        (["c.srt", "my_data"], r"There is no annotation file .*c\.srt"),
        (["a.srt", "my_data", "--fps=-1"], "fps is -1"),
        (["a.srt", "my_data", "--format=praat"], "no annotation format 'praat'"),
        (["a.srt", "my_data", "--format=elan"], r"\(ELAN\) holds no stretch"),
        (["a.srt", "my_data", '--labels=["salt"]'], "3 x a label that --labels does not name"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_leaves_nothing(files: Path, words: list[str], message: str) -> None:
    with pytest.raises(GadError, match=message):
        main(["import", *(word if word.startswith("--") else str(files / word) for word in words)])
    assert not (files / "my_data").exists()
