"""A frontier: what one thing costs of another, at each scale of an adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gad_lightning.errors import SettingError

Points = Sequence[tuple[float, float]]


def draw_frontier(panels: Mapping[str, Points], scales: Sequence[float], task: str, knee: float | None) -> Figure:
    """Draw a panel for each thing that is kept or lost: the task's score over it, a dot a scale.

    Args:
        panels: by the name of the axis, one point a scale.
        scales: written beside the dots.
        task: name of the score.
        knee: the scale with a ring around its dots; None for none.

    Raises:
        SettingError: if there is nothing to draw, or a panel has another number of points than there are scales.

    Example:
        >>> figure = draw_frontier({"KL": [(0.0, 0.1), (0.4, 0.6)]}, [0, 1], "segment_f1", None)
        >>> figure.axes[0].get_xlabel()
        'KL'
    """
    if not panels or any(len(points) != len(scales) for points in panels.values()) or not scales:
        raise SettingError("There is no frontier to draw.", "give each panel one point a scale")
    figure = Figure(figsize=(1.0 + 3.2 * len(panels), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, points) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        axes.plot([x for x, _ in points], [y for _, y in points], "-o", color="black", markersize=4, linewidth=0.8)
        for scale, point in zip(scales, points, strict=True):
            axes.annotate(f"{scale:g}", point, xytext=(4, 4), textcoords="offset points", fontsize=8, color="0.4")
            if scale == knee:
                axes.plot(*point, "o", markersize=11, fillstyle="none", color="black")
        axes.set_xlabel(name, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel(f"{task} on validation", fontsize=9)
    note = "" if knee is None else f"; ring: the knee, {knee:g}"
    figure.suptitle(f"scale of the adapter beside each dot{note}", fontsize=8, color="0.4")
    return figure
