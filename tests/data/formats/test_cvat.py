"""CVAT: tracks that come and go, and tags of pictures."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.data.formats.base import Rules
from tests.data.formats.reading import rows

VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><size>100</size></task><source>cook.mp4</source></meta>
{0}</annotations>"""
BOX = '<box frame="{0}" outside="{1}" keyframe="1" xtl="0" ytl="0" xbr="9" ybr="9"/>'


def test_a_track_counts_from_its_first_frame_to_where_it_is_outside(tmp_path: Path) -> None:
    boxes = "".join(BOX.format(*one) for one in ((10, 0), (15, 0), (20, 1), (30, 0), (39, 0)))
    text = VIDEO.format(f'<track id="0" label="stir">{boxes}</track>')
    expected = [("cook", 1.0, 2.0, "stir"), ("cook", 3.0, 4.0, "stir")]
    assert rows(tmp_path, "x.xml", text, Rules(fps=10)) == expected


def test_tags_of_pictures_that_follow_each_other_are_one_range(tmp_path: Path) -> None:
    tags = "".join(f'<image id="{frame}" name="f"><tag label="stir"/></image>' for frame in (3, 4, 5, 8))
    text = VIDEO.format(tags)
    assert rows(tmp_path, "x.xml", text, Rules(fps=1)) == [("cook", 3.0, 6.0, "stir"), ("cook", 8.0, 9.0, "stir")]
