"""Timelines of truth and predictions: one strip a video, a row a run, to scroll and zoom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.pictures.timelines import color_of
from gad_lightning.report.markup import tag
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.rows import Ints
from gad_lightning.schema import LabelSet
from gad_lightning.segments import Segment, cut, cut_each, lanes_of
from gad_lightning.types import IGNORED

WIDTH = 900
"""Pixels that a strip has at least; zoomed by powers of two from there."""
LETTER = 6.6
"""Pixels of a letter in a segment."""
ROW = 24
"""Pixels of a row."""
ZOOMS = (1, 2, 4, 8, 16)
MANY = 40
"""Classes of a legend from which on it is folded."""
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
"""Seconds between two marks of the axis."""


class Track(NamedTuple):
    """One row: the runs of labels of one video."""

    name: str
    segments: list[Segment]  # of every label but IGNORED
    fps: float
    scores: Sequence[float] = ()  # probability in [0, 1] of each segment, where it is known


def tracks_of(
    video: str, names: Sequence[str], predictions: Sequence[TaskPredictions], fps: Sequence[float]
) -> list[Track]:
    """The truth of a video, then what each run predicted."""
    tracks: list[Track] = []
    for name, run, rate in zip(names, predictions, fps, strict=True):
        if video not in run.videos:
            continue
        rows = np.flatnonzero(run.video == run.videos.index(video))
        if not tracks:
            truth = run.truth if run.truths is None else run.truths > 0
            tracks.append(Track("truth", _runs_of(truth[rows], run.frame[rows]), rate))
        label = run.label if run.labels is None else run.labels
        tracks.append(Track(name, _runs_of(label[rows], run.frame[rows]), rate))
    return tracks


def _runs_of(labels: Ints | NDArray[np.bool_], frames: Ints) -> list[Segment]:
    """Runs of one label, in frames of the video, of (n,) classes or (n, C) bool; a frame that is missing is a gap.

    Example:
        >>> _runs_of(np.array([1, 1, 2]), np.array([0, 1, 5]))
        [Segment(label=1, start=0, end=2), Segment(label=2, start=5, end=6)]
    """
    length = int(frames.max()) + 1
    if labels.ndim == 2:
        shown = np.zeros((length, labels.shape[1]), dtype=np.bool_)
        shown[frames] = labels
        return cut_each(torch.from_numpy(shown))
    laid = np.full(length, IGNORED)
    laid[frames] = labels
    return cut(laid.tolist(), skip=[IGNORED])


def strip(
    video: str,
    tracks: Sequence[Track],
    labels: LabelSet,
    open_: bool = True,
    player: Element | None = None,
    seconds: float = 0.0,
) -> Element:
    """One video: names of the rows, the rows, an axis, and a line that says what is under the pointer.

    Args:
        video: its name.
        tracks: the rows.
        labels: the classes.
        open_: show it unfolded.
        player: plays the video; the timeline then moves it, by the pointer and by keys.
        seconds: of the video; it is at least as long as the rows.
    """
    seconds = max([seconds, *(part.end / track.fps for track in tracks for part in track.segments)]) or 1.0
    height = ROW * len(tracks)
    rows = tag("div", *(tag("span", track.name) for track in tracks), tag("span", "seconds"), class_="names")
    picture = tag(
        "svg",
        *(_band(row, track, labels) for row, track in enumerate(tracks)),
        viewBox=f"0 0 {_short_seconds(seconds)} {height}",
        preserveAspectRatio="none",
        height=height,
        aria_hidden="true",
    )
    texts = [text for row, track in enumerate(tracks) for text in _texts_of(row, track, labels, seconds)]
    lane = tag(
        "div",
        picture,
        *texts,
        _axis(seconds),
        tag("i", class_="cursor"),
        None if player is None else tag("i", class_="head"),
        class_="lane",
        data_seconds=_short_seconds(seconds),
    )
    scroll = tag("div", lane, class_="scroll", tabindex="0", aria_label=f"timeline of {video}")
    if player is not None:
        scroll.set("role", "slider")
        scroll.attrib |= {"aria-valuemin": "0", "aria-valuemax": _short_seconds(seconds), "aria-valuenow": "0"}
    said = tag("p", class_="said")
    head = tag("summary", tag("b", video), f"  {seconds:.1f} s")
    body = tag("div", rows, scroll, class_="strip")
    return tag("details", head, player, body, said, class_="video", open="open" if open_ else None)


def _short_seconds(seconds: float) -> str:
    """Seconds to the millisecond."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _band(row: int, track: Track, labels: LabelSet) -> Element:
    """The rectangles of one row, in seconds; background is drawn too, so that gaps show."""
    rects = []
    lanes = lanes_of(part[1:] for part in track.segments)
    high = (ROW - 4) / (max(lanes, default=0) + 1)
    scores = [f"  {score:.2f}" for score in track.scores] or [""] * len(lanes)
    for lane, score, (label, start, end) in zip(lanes, scores, track.segments, strict=True):
        place = {"x": _short_seconds(start / track.fps), "width": _short_seconds((end - start) / track.fps)}
        how = {"class_": f"k{label}", "data_label": labels.names[label] + score}
        rects.append(tag("rect", **place, **how, y=f"{row * ROW + 2 + lane * high:g}", height=f"{high:g}"))
    return tag("g", *rects, data_track=track.name)


def _texts_of(row: int, track: Track, labels: LabelSet, seconds: float) -> list[Element]:
    """Names in the segments that have room for them, each from the zoom on at which it has; none where some overlap."""
    texts: list[Element] = []
    if max(lanes_of(part[1:] for part in track.segments), default=0):
        return texts
    for label, start, end in track.segments:
        if label == labels.background:
            continue
        share, name = (end - start) / track.fps / seconds, labels.names[label]
        zoom = next((zoom for zoom in ZOOMS if share * WIDTH * zoom >= LETTER * len(name) + 6), None)
        if zoom is not None:
            left = 100 * start / track.fps / seconds
            style = f"left:{left:.3f}%;width:{100 * share:.3f}%;top:{row * ROW}px"
            texts.append(tag("span", name, style=style, class_=f"z{zoom} t{label}"))
    return texts


def _axis(seconds: float) -> Element:
    """Marks under the rows; more of them show as one zooms in."""
    marks = tag("div", class_="axis")
    seen: set[int] = set()
    for zoom in ZOOMS:
        step = next((step for step in TICKS if step / seconds * WIDTH * zoom >= 60), 3600)
        for now in range(0, int(seconds) + 1, step):
            if now not in seen:
                seen.add(now)
                marks.append(tag("span", _clock(now), style=f"left:{100 * now / seconds:.3f}%", class_=f"z{zoom}"))
    return marks


def _clock(seconds: int) -> str:
    """Minutes and seconds.

    Example:
        >>> _clock(75), _clock(3671)
        ('1:15', '1:01:11')
    """
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def zoom_bar() -> Element:
    """Buttons that show the timelines longer, and how they are read."""
    buttons = [
        tag("button", f"{zoom}x", type="button", data_zoom=str(zoom), aria_pressed="true" if zoom == 1 else "false")
        for zoom in ZOOMS
    ]
    return tag("div", "Zoom", *buttons, tag("span", "Point at a timeline to read it."), class_="zoom")


def colors(labels: LabelSet, seen: Iterable[int]) -> str:
    """Style of the classes seen: a color each, black or white letters on it; background is the page's gray."""
    rules = []
    for label in seen:
        if label == labels.background:
            rules.append(f".k{label}{{fill:var(--rest);background:var(--rest)}}")
            continue
        red, green, blue = color_of(label, labels)
        ink = "#111" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "#fff"
        color = "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
        rules.append(f".k{label}{{fill:{color};background:{color}}}.t{label}{{color:{ink}}}")
    return "\n".join(rules)


def legend(labels: LabelSet, seen: Sequence[int]) -> Element:
    """The classes that occur, with their colors."""
    items = [tag("li", tag("i", class_=f"k{label}"), labels.names[label]) for label in seen]
    whole = tag("ul", *items, class_="legend")
    return whole if len(items) <= MANY else tag("details", tag("summary", f"{len(items)} classes"), whole)
