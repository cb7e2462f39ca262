"""ELAN files: those of pympi, and what other programs leave in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.base import Annotation, LabeledVideo, Rules
from gad_lightning.data.formats.elan import FORMAT
from tests.data.formats.reading import read_file, rows

pympi = pytest.importorskip("pympi", reason="pympi-ling is not installed")

HEAD = '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{media}</HEADER>'
SLOTS = (
    '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t2"/>'
    '<TIME_SLOT TIME_SLOT_ID="t3"/><TIME_SLOT TIME_SLOT_ID="t4" TIME_VALUE="4000"/></TIME_ORDER>'
)
TIER = '<TIER TIER_ID="steps"><ANNOTATION>{found}</ANNOTATION></TIER></ANNOTATION_DOCUMENT>'
ONE = (
    '<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="{0}" TIME_SLOT_REF2="{1}">'
    "<ANNOTATION_VALUE>stir</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
)


def document(media: str = "", slots: tuple[str, str] = ("t1", "t4")) -> str:
    """A file with one annotation."""
    return HEAD.format(media=media) + SLOTS + TIER.format(found=ONE.format(*slots))


def test_a_file_of_pympi_is_read_with_all_its_tiers_or_those_chosen(tmp_path: Path) -> None:
    made = pympi.Elan.Eaf(author="")
    made.add_linked_file("/films/cook 1.mp4", relpath="./cook 1.mp4", mimetype="video/mp4")
    made.add_tier("steps")
    made.add_tier("hands")
    for tier, start, end, label in (
        ("steps", 0, 1500, "stir"),
        ("hands", 500, 2000, "left"),
        ("steps", 2000, 3000, "é"),
    ):
        made.add_annotation(tier, start, end, label)
    made.add_linguistic_type("notes", constraints="Symbolic_Association", timealignable=False)
    made.add_tier("notes", ling="notes", parent="steps")
    made.add_ref_annotation("notes", "steps", 100, "slowly")
    made.to_file(str(tmp_path / "x.eaf"))
    text = (tmp_path / "x.eaf").read_text(encoding="utf-8")
    found = read_file(tmp_path, "x.eaf", text)
    assert sorted(one[:4] for one in found.reading.annotations) == [
        ("cook 1", 0.0, 1.5, "stir"),
        ("cook 1", 0.5, 2.0, "left"),
        ("cook 1", 2.0, 3.0, "é"),
    ]
    assert found.reading.left_out == {"an annotation without times of its own": ["tier notes"]}
    assert [row[3] for row in rows(tmp_path, "x.eaf", text, Rules(tiers=("hands",)))] == ["left"]


def test_pympi_reads_what_is_written_and_overlaps_are_on_tiers_of_their_own(tmp_path: Path) -> None:
    found = (Annotation("a", 0.0, 2.0, "stir"), Annotation("a", 1.0, 3.0, "pour"), Annotation("a", 2.0, 3.0, "<salt>"))
    (tmp_path / "a.eaf").write_text(FORMAT.write([LabeledVideo("a", found, 4.0, "videos/a.mp4")]), encoding="utf-8")
    back = pympi.Elan.Eaf(str(tmp_path / "a.eaf"))
    assert back.get_annotation_data_for_tier("actions") == [(0, 2000, "stir"), (2000, 3000, "<salt>")]
    assert back.get_annotation_data_for_tier("actions 2") == [(1000, 3000, "pour")]
    assert back.get_linked_files()[0]["MEDIA_URL"] == "videos/a.mp4"


def test_slots_without_a_time_lie_evenly_between_their_neighbors(tmp_path: Path) -> None:
    assert rows(tmp_path, "a.eaf", document(slots=("t2", "t3"))) == [("a", 2.0, 3.0, "stir")]


def test_the_origin_of_the_media_is_added_and_told(tmp_path: Path) -> None:
    media = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/x/cook.mp4" TIME_ORIGIN="2500" MIME_TYPE="video/mp4"/>'
    found = read_file(tmp_path, "a.eaf", document(media))
    assert found.reading.annotations[0][:3] == ("cook", 3.5, 6.5)
    assert found.reading.said == ["the document's time begins 2.5 s into the video"]


def test_of_several_media_the_first_video_is_taken_and_told(tmp_path: Path) -> None:
    media = "".join(f'<MEDIA_DESCRIPTOR MEDIA_URL="{name}"/>' for name in ("sound.wav", "left.mp4", "right.mp4"))
    found = read_file(tmp_path, "a.eaf", document(media))
    assert found.reading.annotations[0].video == "left"
    assert "'left', has the labels; not right" in found.reading.said[0]
