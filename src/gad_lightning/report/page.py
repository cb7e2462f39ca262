"""The page: its parts in the order in which one asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from gad_lightning.errors import SettingError
from gad_lightning.report.contexts import contexts
from gad_lightning.report.figures import calibration, classes, confusions, curves, delays, section, states
from gad_lightning.report.forgetting import forgetting
from gad_lightning.report.gates import gates
from gad_lightning.report.markup import Child, number, table, tag, written
from gad_lightning.report.merging import TaskOfRuns, collected
from gad_lightning.report.open_set import unknown_actions, without_training
from gad_lightning.report.operating import operating
from gad_lightning.report.player import KEYS, player
from gad_lightning.report.runs import RunTraces
from gad_lightning.report.settings import configs
from gad_lightning.report.style import PROGRAM, head_of
from gad_lightning.report.timelines import colors, legend, strip, tracks_of, zoom_bar
from gad_lightning.results.standard import NOTE, metrics_of
from gad_lightning.types import IGNORED

MADE_BY = '<meta name="generator" content="gad-lightning report">'
"""In the head of every page."""
OPEN = 4
"""Timelines that are unfolded at first."""


Source = Callable[[str], str | None]
"""Gives for the name of a video the address of its file as seen from the page, None if there is none."""


def page_of(runs: Sequence[RunTraces], title: str, num_videos: int = 30, source_of: Source | None = None) -> str:
    """Write the page.

    Args:
        runs: with different names.
        title: heading.
        num_videos: timelines shown, of the first task that is asked at every frame.
        source_of: finds the files of these videos, which then play beside their timelines; None plays none.

    Raises:
        SettingError: if there is no run.
    """
    if not runs:
        raise SettingError("There is no run to report on.", "give the folder of a run")
    names = list(dict.fromkeys(found.task.name for run in runs for found in run.predictions))
    tasks = [collected(runs, name) for name in names]
    shown = next((task for task in tasks if task.per_frame), tasks[0])
    parts: list[Element | None] = []
    for task in tasks:
        more = f" of {task.task}" if len(tasks) > 1 else ""
        parts += [_overview(task, more), *([_timelines(task, more, num_videos, source_of)] if task is shown else [])]
        parts += [classes(task, more), without_training(task, more), confusions(task, more)]
        parts += [unknown_actions(task, more), calibration(task, more), delays(task, more), operating(task, more)]
    parts += [states(runs, {task.task: task.labels for task in tasks}), contexts(runs), gates(runs), curves(runs)]
    parts += [forgetting(runs), _speed(runs), configs(runs)]
    present = [part for part in parts if part is not None]
    links = tag("nav", aria_label="sections")
    for count, part in enumerate(present):
        part.set("id", f"part{count}")
        links.append(tag("a", part[0].text, href=f"#part{count}"))
    head = head_of(title, "report", colors(shown.labels, _classes_seen(shown)), source_of is not None)
    said = f"{_introduction(shown)} {_checkpoints(runs)}".strip()
    header = tag("header", tag("h1", title), tag("p", said, class_="note"), links)
    fetched = "nothing" if source_of is None else "nothing but the videos"
    footer = tag("footer", f"Made by gad-lightning report. This file holds everything it shows and fetches {fetched}.")
    body = tag("body", header, tag("main", *present, footer), tag("script", PROGRAM))
    return "<!doctype html>\n" + written(tag("html", head, body, lang="en")) + "\n"


def _classes_seen(asked: TaskOfRuns) -> list[int]:
    """Classes that occur anywhere."""
    columns = [column for found in asked.predictions for column in (found.label, found.truth)]
    return sorted({int(label) for column in columns for label in np.unique(column)} - {IGNORED})


def _introduction(asked: TaskOfRuns) -> str:
    """What was looked at, in a sentence."""
    found, scores = asked.predictions[0], asked.scores[0]
    runs, videos = _many(len(asked.names), "run"), _many(len(found.videos), "video")
    each = f"{asked.fps[0]:g} frames a second" if asked.per_frame else "clips"
    return f"{runs}, {videos}, {scores.frames:,} scored frames at {each}, {len(asked.labels.names):,} classes."


def _checkpoints(runs: Sequence[RunTraces]) -> str:
    """Which checkpoints predicted, as far as that is known."""
    known = [f"{run.name} {run.checkpoint}" for run in runs if run.checkpoint]
    return f"Predicted by the checkpoints: {', '.join(known)}." if known else ""


def _many(count: int, what: str) -> str:
    """A number of things.

    Example:
        >>> _many(1, "run"), _many(1200, "video")
        ('1 run', '1,200 videos')
    """
    return f"{count:,} {what}{'s' * (count != 1)}"


def _overview(asked: TaskOfRuns, more: str) -> Element:
    """One row a run: what one looks at first; the best of each column is bold, if they can be compared."""
    metrics = metrics_of(asked.predictions[0].task)
    columns = [
        (metric.heading, [scores.standard[metric.name] for scores in asked.scores], metric.digits, metric.rises)
        for metric in metrics
    ]
    columns.append(("calibration error", [float(scores.calibration["error"]) for scores in asked.scores], 3, False))
    segments = [scores.segment for scores in asked.scores if scores.segment is not None]
    waits = [scores.delay for scores in asked.scores if scores.delay is not None]
    if len(segments) == len(waits) == len(asked.scores):
        columns += [
            ("segment precision", [float(found["precision"]) for found in segments], 3, True),
            ("segment recall", [float(found["recall"]) for found in segments], 3, True),
            ("mean delay s", [float(found["mean_seconds"]) for found in waits], 2, False),
            ("never found", [float(found["missed"]) for found in waits], 3, False),
        ]
    rows: list[list[Child]] = []
    for place, name in enumerate(asked.names):
        rows.append([tag("span", name, class_=f"ink c{place % 8}")])
        for _, values, digits, rising in columns:
            known = [value for value in values if np.isfinite(value)]
            compared = len(known) > 1 and asked.same_test
            best = (max(known) if rising else min(known)) if compared else float("nan")
            text = number(values[place], digits)
            rows[-1].append(tag("b", text) if values[place] == best else text)
    note = NOTE if asked.per_frame else "One question a clip."
    if not asked.same_test:
        sizes = ", ".join(
            f"{name} {_many(len(t.videos), 'video')}" for name, t in zip(asked.names, asked.predictions, strict=True)
        )
        note += f" The runs were not tested on the same frames and labels ({sizes}): their scores cannot be compared."
    return section(
        f"Overview{more}",
        tag("p", note, class_="note"),
        table(["run", *(title for title, _, _, _ in columns)], rows),
    )


def _timelines(asked: TaskOfRuns, more: str, limit: int, source_of: Source | None) -> Element | None:
    """Truth and predictions of every video, or of the first ones; beside them the videos that are there."""
    if not asked.per_frame:
        return None
    videos = list(dict.fromkeys(video for found in asked.predictions for video in found.videos))
    strips = tag("div", id="videos")
    seen: set[int] = set()
    for place, video in enumerate(videos[:limit]):
        tracks = tracks_of(video, asked.names, asked.predictions, asked.fps)
        seen |= {segment.label for track in tracks for segment in track.segments}
        source = None if source_of is None else source_of(video)
        strips.append(strip(video, tracks, asked.labels, place < OPEN, player(video, source) if source else None))
    left = len(videos) - limit
    note = f"The first {limit} of {len(videos)} videos; --videos shows more." if left > 0 else None
    return section(
        f"Timelines{more}",
        tag("p", note, class_="note") if note else None,
        tag("p", KEYS, class_="note") if source_of is not None else None,
        zoom_bar(),
        legend(asked.labels, sorted(seen)),
        strips,
    )


def _speed(runs: Sequence[RunTraces]) -> Element:
    """How fast predictions were made, as far as that was measured."""
    heads = list(dict.fromkeys(name for run in runs for name in run.speed))
    if not heads:
        note = "Not measured: predictions that were there before say nothing of it; --predict=always measures it."
        return section("Speed", tag("p", note, class_="note"))
    values = [[run.speed.get(name, float("nan")) for name in heads] for run in runs]
    rows = [
        [run.name, *(number(value, 0 if value >= 100 else 1) for value in row)]
        for run, row in zip(runs, values, strict=True)
    ]
    return section("Speed", table(["run", *heads], rows), tag("p", "Of predict, reading included.", class_="note"))
