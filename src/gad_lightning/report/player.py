"""A video that plays beside its timelines, and the page of one video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element

from gad_lightning.report.markup import tag, written
from gad_lightning.report.style import PROGRAM, head_of
from gad_lightning.report.timelines import Track, colors, legend, strip, zoom_bar
from gad_lightning.schema import LabelSet

KEYS = (
    "Click a timeline to go there. With the keyboard: Tab to a timeline, left and right for a second (with Shift for "
    "five), up and down for the change of a label before and after, Space to play and stop."
)
"""How videos are used on a page."""


def player(video: str, source: str) -> Element:
    """What plays a video.

    Args:
        video: its name.
        source: address of its file, as seen from the page.
    """
    # the time in the address has a phone show the first picture before it plays
    return tag("video", src=f"{source}#t=0.001", controls="", preload="metadata", playsinline="", aria_label=video)


def address_of(file: Path, page: Path) -> str:
    """The address of a file as seen from a page that lies in another folder, or on another drive.

    Example:
        >>> address_of(Path("videos/tea 1.mp4"), Path("runs/report.html"))
        '../videos/tea%201.mp4'
    """
    try:
        return quote(os.fsencode(Path(os.path.relpath(file.resolve(), page.resolve().parent)).as_posix()))
    except ValueError:
        return file.resolve().as_uri()


def page_of_video(video: str, source: str, tracks: Sequence[Track], labels: LabelSet, seconds: float, said: str) -> str:
    """Write a page on which one video plays over its timelines.

    Args:
        video: its name.
        source: see :func:`player`.
        tracks: the rows of the timeline.
        labels: the classes.
        seconds: length of the video.
        said: what is shown, in a sentence.
    """
    seen = sorted({segment.label for track in tracks for segment in track.segments})
    shown = tag("div", strip(video, tracks, labels, player=player(video, source), seconds=seconds), id="videos")
    body = tag(
        "body",
        tag("header", tag("h1", video), tag("p", said, class_="note")),
        tag("main", shown, zoom_bar(), legend(labels, seen), tag("p", KEYS, class_="note")),
        tag("script", PROGRAM),
    )
    head = head_of(video, "show", colors(labels, seen), True)
    return "<!doctype html>\n" + written(tag("html", head, body, lang="en")) + "\n"
