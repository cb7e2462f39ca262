"""BORIS: both exports in the columns of its versions, points, modifiers, offsets, several media."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.data.formats.base import Rules
from tests.data.formats.reading import read_file, rows

COLUMNS = "Observation id,Time offset (s),Subject,Behavior,Modifiers,Behavior type,Start (s),Stop (s),Media file name"
AGGREGATED = (
    COLUMNS.replace(",", "\t")
    + """
o1\t{offset}\tcow\tgraze\tfast\tSTATE\t1.800\t8.125\t{media}
o1\t{offset}\tcow\tpeck\t\tPOINT\t32.825\t32.825\t{media}
"""
)
TABULAR = """Observation id,Source,Subject,Behavior,Modifier #1,Behavior type,Time,Media file name
o1,player #1:cow.mp4,a,graze,,START,1.0,videos/cow.mp4
o1,player #1:cow.mp4,b,graze,,START,1.5,videos/cow.mp4
o1,player #1:cow.mp4,a,graze,,STOP,2.0,videos/cow.mp4
o1,player #1:cow.mp4,b,graze,,STOP,4.0,videos/cow.mp4
o1,player #1:cow.mp4,b,run,,STOP,5.0,videos/cow.mp4
"""
OLD = """Observation id\tobservation 1\t\t\t

Player #1\tcow.mp4\t\t\t
Time offset (s)\t10.0\t\t\t

Time\tMedia file path\tSubject\tBehavior\tStatus
13.300\tcow.mp4\ta\ts\tSTART
17.750\tcow.mp4\ta\ts\tSTOP
"""


def test_an_aggregated_row_is_a_stretch_and_a_point_is_left_out_or_given_a_length(tmp_path: Path) -> None:
    text = AGGREGATED.format(offset=0, media="x/cow.mp4")
    found = read_file(tmp_path, "a.tsv", text)
    assert found.reading.annotations[0][:4] == ("cow", 1.8, 8.125, "graze")
    assert list(found.reading.left_out) == ["an instant without length (--point_seconds gives it one)"]
    long = rows(tmp_path, "a.tsv", text, Rules(point_seconds=0.5, modifiers=True))
    assert long == [("cow", 1.8, 8.125, "graze (fast)"), ("cow", 32.825, 33.325, "peck")]


def test_the_time_offset_is_taken_off(tmp_path: Path) -> None:
    found = read_file(tmp_path, "a.tsv", AGGREGATED.format(offset=1.5, media="cow.mp4"))
    assert [round(time, 6) for time in found.reading.annotations[0][1:3]] == [0.3, 6.625]
    assert "the time offset of 1.5 s is taken off" in found.reading.said


def test_an_observation_of_several_media_is_left_out_as_its_times_run_on(tmp_path: Path) -> None:
    text = TABULAR.replace("videos/cow.mp4\n", "videos/cow2.mp4\n", 1) + (
        "o2,player #1:hen.mp4,a,peck,,START,1,hen.mp4\no2,player #1:hen.mp4,a,peck,,STOP,2,hen.mp4\n"
    )
    found = read_file(tmp_path, "a.csv", text)
    assert [one[:4] for one in found.reading.annotations] == [("hen", 1.0, 2.0, "peck")]
    assert len(found.reading.left_out["an observation of several media, whose times run on"]) == 5


def test_starts_and_stops_are_paired_by_subject_and_behavior(tmp_path: Path) -> None:
    found = read_file(tmp_path, "a.csv", TABULAR)
    assert [one[:4] for one in found.reading.annotations] == [("cow", 1.0, 2.0, "graze"), ("cow", 1.5, 4.0, "graze")]
    assert found.reading.left_out == {"a start or stop without its other half": ["line 6"]}


def test_the_older_export_with_lines_above_its_table_is_read(tmp_path: Path) -> None:
    found = rows(tmp_path, "a.tsv", OLD)
    assert found == [("cow", 3.3, 7.75, "s")]
