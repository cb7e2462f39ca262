"""A video that plays, and the page of one."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.report.player import address_of, page_of_video, player
from gad_lightning.report.timelines import Track
from gad_lightning.schema import LabelSet
from gad_lightning.segments import Segment
from tests.report.making import NASTY, NASTY_VIDEO, Checker


def test_addresses_lead_from_the_page_to_the_video_whatever_its_name(tmp_path: Path) -> None:
    page = tmp_path / "runs" / "report.html"
    assert address_of(tmp_path / "runs" / "a b#1?.mp4", page) == "a%20b%231%3F.mp4"
    assert address_of(tmp_path / "videos" / "\u8336.mp4", page) == "../videos/%E8%8C%B6.mp4"
    assert address_of(tmp_path / "runs" / "c:d.mp4", page) == "c%3Ad.mp4"


def test_a_player_has_controls_and_loads_no_more_than_it_must() -> None:
    made = player("tea", "tea.mp4")
    assert made.get("src", "").startswith("tea.mp4")
    assert "controls" in made.attrib
    assert made.get("preload") == "metadata"


def test_names_on_the_page_are_only_text_and_the_timeline_is_as_long_as_the_video() -> None:
    track = Track("found", [Segment(1, 500, 2000)], 1000.0, [0.5])
    text = page_of_video(NASTY_VIDEO, "video.mp4", [track], LabelSet(NASTY, 0), 12.5, "what it is")
    checked = Checker(text)
    assert checked.wrong == ["video src=video.mp4#t=0.001"]
    assert NASTY_VIDEO in checked.said
    assert 'data-seconds="12.5"' in text
    assert 'aria-valuemax="12.5"' in text
    assert "media-src 'self' file:;" in text
