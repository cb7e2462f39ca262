"""Timelines: truth and predictions under each other, one color a class."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet
from gad_lightning.segments import cut
from gad_lightning.types import IGNORED

Labels = Sequence[int] | Tensor
BACKGROUND = (0.9, 0.9, 0.9)
WIDTH, TRACK_HEIGHT = 11.0, 0.3  # inches


def draw_timelines(videos: Mapping[str, Mapping[str, Labels]], labels: LabelSet, fps: float) -> Figure:
    """Draw the tracks of some videos, a panel each, with one legend of the classes that occur.

    Args:
        videos: per video name, per track name (such as ``truth`` or ``GAD``) the class of each frame, (F,);
            :data:`~gad_lightning.types.IGNORED` leaves a gap.
        labels: the classes.
        fps: frames a second of the labels.

    Raises:
        SettingError: if there is nothing to draw.

    Example:
        >>> labels = LabelSet(("rest", "stir"), background=0)
        >>> figure = draw_timelines({"breakfast": {"truth": [0, 1, 1], "GAD": [0, 0, 1]}}, labels, fps=4)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['breakfast']
    """
    if not videos or not all(videos.values()):
        raise SettingError("There is no timeline to draw.", "give at least one video with one track")
    tracks = sum(map(len, videos.values()))
    seen = sorted({int(label) for tracks_of in videos.values() for frames in tracks_of.values() for label in frames})
    rows = -(-len(seen) // 6)
    height = tracks * TRACK_HEIGHT + len(videos) * 0.75 + rows * 0.22 + 0.2
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    ratios = [len(tracks_of) for tracks_of in videos.values()]
    panels = figure.subplots(len(videos), 1, squeeze=False, gridspec_kw={"height_ratios": ratios})
    for panel, (name, tracks_of) in zip(panels[:, 0], videos.items(), strict=True):
        _draw_panel(panel, name, tracks_of, labels, fps)
    panels[-1, 0].set_xlabel("seconds")
    patches = [Patch(color=color_of(label, labels), label=labels.names[label]) for label in seen if label != IGNORED]
    figure.legend(handles=patches, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return figure


def _draw_panel(panel: Axes, name: str, tracks: Mapping[str, Labels], labels: LabelSet, fps: float) -> None:
    """Draw the tracks of one video, the first on top."""
    length = max(len(frames) for frames in tracks.values()) / fps
    for row, frames in enumerate(tracks.values()):
        for label, start, end in cut(torch.as_tensor(frames), skip=[IGNORED]):
            color, width, text = color_of(label, labels), (end - start) / fps, labels.names[label]
            panel.barh(row, width, left=start / fps, height=0.84, color=color)
            if label != labels.background and width / length * WIDTH > 0.065 * len(text):  # inches of small print
                ink = "black" if 0.3 * color[0] + 0.6 * color[1] + 0.1 * color[2] > 0.5 else "white"  # by brightness
                panel.text(start / fps + width / 2, row, text, ha="center", va="center", fontsize=6.5, color=ink)
    panel.set_title(name, loc="left", fontsize=9)
    panel.set_yticks(range(len(tracks)), list(tracks), fontsize=9)
    panel.set_ylim(len(tracks) - 0.5, -0.5)
    panel.set_xlim(0, length)
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "left"]].set_visible(False)


def color_of(label: int, labels: LabelSet) -> tuple[float, float, float]:
    """Color of a class, the same in every picture: gray for the background, else a hue far from its neighbors'."""
    if label == labels.background:
        return BACKGROUND
    turn = label * 0.618034 % 1  # the golden section: whatever the number of classes, hues spread evenly
    return colorsys.hls_to_rgb(turn, *((0.45, 0.75), (0.7, 0.8), (0.56, 0.45), (0.36, 0.8), (0.8, 0.6))[label % 5])


def save_picture(figure: Figure, target: Path, dpi: int = 110) -> None:
    """Write a picture, whole or not at all, in the format of its name.

    Args:
        figure: what was drawn.
        target: such as ``timelines.png``; its folder exists.
        dpi: dots an inch.
    """
    with atomic_write(target) as part:
        figure.savefig(part, format=target.suffix.removeprefix("."), dpi=dpi)
