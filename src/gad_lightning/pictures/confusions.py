"""A matrix of confusions: which class was predicted where another was true."""

from __future__ import annotations

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from gad_lightning.schema import LabelSet

Picture = Figure
"""What is drawn, by a name for rooms that draw nothing."""
MOST_CLASSES = 40
"""Classes of a picture; of more the most frequent true ones are drawn."""


def draw_confusions(preds: Tensor, target: Tensor, labels: LabelSet) -> Figure:
    """Draw for each true class the shares of its frames by predicted class, with the frames of the class beside.

    Args:
        preds: (M,) predicted classes.
        target: (M,) true classes; what is none of them is left out.
        labels: the classes.
    """
    size = len(labels.names)
    known = (target >= 0) & (target < size) & (preds >= 0) & (preds < size)
    counts = torch.bincount(target[known] * size + preds[known], minlength=size * size).reshape(size, size)
    frequent = counts.sum(1).argsort(descending=True, stable=True)[:MOST_CLASSES].sort().values
    counts = counts[frequent][:, frequent]
    totals = counts.sum(1)
    shares = counts / totals.clamp(min=1)[:, None]
    names = [labels.names[index] for index in frequent.tolist()]
    side = 2.5 + 0.28 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    picture = panel.imshow(shares.numpy(), vmin=0, vmax=1, cmap="Blues")
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    panel.set_yticks(
        range(len(names)), [f"{name} ({total})" for name, total in zip(names, totals.tolist(), strict=True)], fontsize=8
    )
    panel.set_xlabel("predicted")
    panel.set_ylabel("true (frames)")
    figure.colorbar(picture, ax=panel, shrink=0.7)
    return figure
