"""All annotation formats: what is written is read back, and odd files each have a clear answer."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gad_lightning.data.formats.base import Annotation, LabeledVideo, Rules, merged
from gad_lightning.data.formats.registry import format_named, formats, read_annotations, write_annotations
from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError
from gad_lightning.schema import normalized
from tests.data.formats.reading import rows_of

every_format = pytest.mark.parametrize("name", list(formats()))
FPS = 5.0
LETTERS = st.sampled_from("aé; ,&<>\"'-=|(ñ中1")
LABELS = st.text(LETTERS, min_size=1, max_size=8).map(normalized).filter(bool)


@st.composite
def videos(draw: st.DrawFn) -> list[LabeledVideo]:
    """Two videos whose stretches of one label neither overlap nor touch, in milliseconds."""
    made = []
    for name in ("kitchen 01", "b.2"):
        found = []
        for label in draw(st.sets(LABELS, min_size=1, max_size=3)):
            times = sorted(draw(st.sets(st.integers(0, 400), min_size=2, max_size=4)))
            for start, end in zip(times[::2], times[1::2], strict=False):
                found.append(Annotation(name, start * 0.413, end * 0.413, label))
        made.append(LabeledVideo(name, tuple(found), FPS, f"{name}.mp4"))
    return made


@every_format
@given(made=videos())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_within_the_format_s_resolution(
    name: str, made: list[LabeledVideo], tmp_path: Path
) -> None:
    chosen = format_named(name)
    if name == "srt":  # its text has no way to write marks as they are
        made = [_without_marks(video) for video in made]
    files = write_annotations(made, tmp_path, chosen, overwrite=True)
    found = read_annotations(files, tmp_path, Rules(fps=FPS))
    assert {one.format.name for one in found.files} == {name}
    step = {"second": 1e-9, "millisecond": 5.01e-4, "frame": 0.5001 / FPS}[chosen.sharpness]
    back, expected = (
        sorted((row[0], row[3], *row[1:3]) for row in rows)
        for rows in (rows_of(found.annotations), rows_of([one for video in made for one in video.annotations]))
    )
    assert [row[:2] for row in back] == [row[:2] for row in expected]
    for row, other in zip(back, expected, strict=True):
        assert row[2:] == pytest.approx(other[2:], abs=step + 1e-5)


def _without_marks(video: LabeledVideo) -> LabeledVideo:
    """The labels without brackets."""
    table = str.maketrans("<>", "[]")
    kept = merged(one._replace(label=one.label.translate(table)) for one in video.annotations)
    return video._replace(annotations=tuple(kept))


def labeled(**changes: object) -> LabeledVideo:
    """A video with one stretch that a classifier found."""
    return LabeledVideo("a", (Annotation("a", 1.0, 2.0, "stir", 0.75),), FPS)._replace(**changes)


@every_format
def test_files_that_are_there_are_not_overwritten_unless_asked(name: str, tmp_path: Path) -> None:
    chosen = format_named(name)
    (first,) = write_annotations([labeled()], tmp_path, chosen)
    with pytest.raises(SettingError, match=r"is there already.*\n.*--overwrite=true"):
        write_annotations([labeled()], tmp_path, chosen)
    assert write_annotations([labeled()], tmp_path, chosen, overwrite=True) == [first]
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


@pytest.mark.parametrize("video", ["../a", "..", "", "a/b", "a\\b", "a\x00"])
def test_a_name_that_leads_out_of_the_folder_is_refused(video: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no name of a video"):
        write_annotations([labeled(name=video)], tmp_path / "here", format_named("webvtt"))
    assert [path.name for path in tmp_path.iterdir()] in ([], ["here"])


@pytest.mark.parametrize("name", ["segments", "activitynet", "fiftyone"])
def test_scores_are_kept_where_the_format_has_them(name: str, tmp_path: Path) -> None:
    files = write_annotations([labeled()], tmp_path, format_named(name))
    assert read_annotations(files, tmp_path).annotations[0].score == 0.75


def test_files_are_found_by_pattern_in_the_folder_of_the_data(tmp_path: Path) -> None:
    write_annotations([labeled(), labeled(name="b")], tmp_path, format_named("elan"))
    assert [file.reading.path.name for file in read_annotations(["*.eaf"], tmp_path).files] == ["a.eaf", "b.eaf"]
    with pytest.raises(MissingDataError, match=r"no annotation file \*\.xml"):
        read_annotations(["*.xml"], tmp_path)


def test_a_format_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(SettingError, match=r"no annotation format 'praat'.*\n.*elan, fiftyone"):
        format_named("praat")


def test_overlapping_stretches_of_one_label_become_one_and_are_counted(tmp_path: Path) -> None:
    text = "video,start,end,label\na,0,2,stir\na,1,3,stir\na,0,2,stir\na,3,4,stir\na,1,2,pour\n"
    (tmp_path / "x.csv").write_text(text)
    found = read_annotations(["x.csv"], tmp_path)
    assert rows_of(found.annotations) == [("a", 0, 3, "stir"), ("a", 3, 4, "stir"), ("a", 1, 2, "pour")]
    assert found.merged == 2


EAF = '<ANNOTATION_DOCUMENT><TIER TIER_ID="t"><X/></TIER></ANNOTATION_DOCUMENT>'
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;</annotations>'
TASK = {"data": {"video": "a.mp4"}, "annotations": [{"result": []}]}


def task(*results: object, **more: object) -> str:
    """A Label Studio file of one task."""
    return json.dumps([{"data": {"video": "a.mp4"}, "annotations": [{"result": list(results)}], **more}])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.eaf", BOMB, "a document type or entities, which are not read"),
        ("a.xml", OUTSIDE, "a document type or entities, which are not read"),
        ("a.eaf", EAF[:-9], "is no whole XML file"),
        ("a.eaf", EAF, "ELAN.*holds no stretch that can be used"),
        ("a.xml", "<html><body>sign in</body></html>", "in no annotation format that is known"),
        ("a.xml", "<annotations><version>1.1</version></annotations>", "CVAT.*holds no stretch"),
        ("a.json", "", "is in no annotation format that is known: it is empty"),
        ("a.json", "{", "is no whole JSON file"),
        ("a.json", "[" * 100_000, "is no whole JSON file"),
        ("a.json", "[]", "in no annotation format that is known"),
        ("a.json", "[1, null, []]", "in no annotation format that is known"),
        ("a.json", '{"database": []}', "in no annotation format that is known"),
        ("a.json", '{"database": {"a": 3}}', "ActivityNet.*holds no stretch"),
        (
            "a.json",
            '{"database": {"a": {"annotations": [{"segment": [1], "label": "x"}]}}}',
            "a time that is no number",
        ),
        (
            "a.json",
            '{"database": {"a": {"annotations": [{"segment": [1, 2]}]}}}',
            "1 x no label, first a, annotation 1",
        ),
        ("a.json", '{"database": {"a": {"annotations": [{"segment": [1, 1e999], "label": "x"}]}}}', "is no number"),
        ("a.json", '{"database": {"../..": {"annotations": [{"segment": [1, 2], "label": "x"}]}}}', "without a usable"),
        ("a.json", '{"database": {"a": {"annotations": [{"segment": [2, 1], "label": "x"}]}}}', "end before its start"),
        ("a.json", '{"database": {"a": {"annotations": [{"segment": [-2, -1], "label": "x"}]}}}', "before the video's"),
        ("a.json", task({"type": "choices", "value": {"choices": ["x"]}}), r"a region without times \(choices\)"),
        ("a.json", json.dumps([{**TASK, "annotations": [], "predictions": [{"result": []}]}]), "nobody has corrected"),
        ("a.json", '{"metadata": {}, "file": {}, "view": {}}', "VIA.*holds no stretch"),
        (
            "a.json",
            '{"classes": [], "labels": {"a": [{"label": 0, "support": [1, 2]}]}}',
            "does not say how many a sec",
        ),
        ("a.csv", "video,start,end,label\n", "segments.csv.*holds no stretch"),
        ("a.csv", 'video,start,end,label\na,1,2,"x\n', "is no whole CSV file"),
        ("a.csv", "video,start,end,label\na,1,5,2,0,x\n", "more values than the first line has names"),
        ("a.csv", "video,start,end,label\na,soon,2,x\n", "1 x a time that is no number, first line 2"),
        ("a.csv", "video,start,end,label\na,3,3,x\n", r"an instant without length \(--point_seconds"),
        ("a.csv", "Observation id,Behavior,Start (s),Stop (s)\no,x,,\n", "a time that is no number"),
        ("a.csv", "time,behavior,status\n1,x,START\n", "a start or stop without its other half, first line 2"),
        ("a.csv", "name,from,to\na,1,2\n", "a table of your own needs the columns video, start, end, label"),
        ("a.csv", ",stir,pour\n0,0,1\n", "counts frames and does not say how many a second"),
        ("a.vtt", "WEBVTT\n\nNOTE nothing\n", "WebVTT.*holds no stretch"),
        ("a.srt", "1\n00:00:02,000 --> 00:00:01,000\nx\n", "an end before its start, first line 2"),
        ("a.csv", ",stir\n0,1\n1,1\n5,0\n", r"does not number its frames one after another: 0, 1, 5\."),
        ("a.txt", "hello", "in no annotation format that is known: it begins with 'hello'"),
    ],
)
def test_an_odd_file_has_a_clear_answer(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(GadError, match=message) as caught:
        read_annotations([name], tmp_path)
    assert name in caught.value.message
    assert caught.value.remedy


@every_format
@given(
    start=st.integers(0, 900),
    length=st.integers(0, 60),
    put=st.sampled_from(["", "0", "null", '"', "<x/>", "a,b", "[]"]),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_in_part_or_refused_and_never_ends_in_a_traceback(
    name: str, start: int, length: int, put: str, tmp_path: Path
) -> None:
    chosen = format_named(name)
    text = chosen.write([LabeledVideo("a", (Annotation("a", 1.0, 2.0, "stir"), Annotation("a", 3.0, 4.0, "b")), FPS)])
    start %= len(text)
    path = tmp_path / f"a{chosen.ending}"
    path.write_text(text[:start] + put + text[start + length :], encoding="utf-8")
    found: list[Annotation] = []
    with suppress(GadError):
        found = read_annotations([path], tmp_path, Rules(fps=FPS)).annotations
    assert all(0 <= one.start < one.end and one.label for one in found)
