"""Comparisons: the score of every run, and the mean of each variant with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gad_lightning.errors import SettingError


def draw_scores(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw a panel a metric, a row a variant: a dot a run, the mean and its standard error as a bar.

    Args:
        scores: per metric, per variant one value a seed.

    Raises:
        SettingError: if there is nothing to draw.

    Example:
        >>> figure = draw_scores({"top1": {"Disc": [0.8, 0.9], "Gen": [0.7]}})
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['Disc', 'Gen']
    """
    if not scores or not all(scores.values()):
        raise SettingError("There is no score to draw.", "give at least one metric with one variant")
    rows = max(map(len, scores.values()))
    figure = Figure(figsize=(1.5 + 3.2 * len(scores), 1.1 + 0.34 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(scores), squeeze=False, sharey=True)[0]
    for panel, (metric, by_variant) in zip(panels, scores.items(), strict=True):
        for row, values in enumerate(by_variant.values()):
            mean = sum(values) / len(values)
            spread = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1) / len(values)
            panel.plot(values, [row] * len(values), "o", color="0.7", markersize=4)
            panel.errorbar(mean, row, xerr=spread**0.5, fmt="D", color="black", markersize=4, capsize=3)
        panel.set_title(metric, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(axis="x", color="0.9")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(rows), list(next(iter(scores.values()))))
    panels[0].set_ylim(rows - 0.5, -0.5)
    figure.supxlabel("gray: runs; black: mean and standard error", fontsize=8)
    return figure
