"""Several labels a frame, as the metrics want them: one row for every class that a frame has, in truth or prediction.

A single label is wanted here and there: it is the most probable of the predicted classes. It is right where it is one
of the true classes; the true one is then the same, else the first of the true ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED, first_class


def pair_table(chosen: Tensor, truth: Tensor, video: Tensor, frame: Tensor, labels: LabelSet) -> FrameTable:
    """Rows of all classes, one after another within a video, of the frames that have them in truth or prediction.

    What is no action (background, ignored class) has no row, nor have frames of unknown truth.

    Args:
        chosen: (N, C) bool, predicted classes.
        truth: (N, C) int8: 1 true, 0 not true, -1 unknown.
        video: (N,) int64.
        frame: (N,) int64.
        labels: C classes.

    Returns:
        The table over the classes of :func:`pair_space`; each class of a video counts as a video of its own.
    """
    classes = len(labels.names)
    actions = [index for index in range(classes) if index not in (labels.background, labels.ignore)]
    shown = ((chosen | (truth > 0)) & (truth >= 0))[:, actions]
    row, column = shown.nonzero(as_tuple=True)
    label = torch.tensor(actions, dtype=torch.int64, device=chosen.device)[column]
    number = video[row].unique(return_inverse=True)[1] * classes + label
    order = frame[row].argsort(stable=True)
    order = order[number[order].argsort(stable=True)]
    row, label, number = row[order], label[order], number[order]
    place = frame[row]
    breaks = torch.ones_like(place, dtype=torch.bool)
    breaks[1:] = (number[1:] != number[:-1]) | (place[1:] != place[:-1] + 1)
    found = torch.where(chosen[row, label], label, classes)
    true = torch.where(truth[row, label] > 0, label, classes)
    return FrameTable(found, true, number, place, breaks)


def truths_of(target: Tensor, classes: int) -> Tensor:
    """Targets, (N,) or (N, C'), as (N, C) int8: 1 true, 0 not true, -1 unknown, or none of the classes."""
    if target.dim() == 2:
        return target[:, :classes].sign().to(torch.int8)
    known = ((target >= 0) & (target < classes)).unsqueeze(1)
    every = torch.arange(classes, device=target.device)
    return (target.unsqueeze(1) == every).to(torch.int8).where(known, -1)


def single_labels(probabilities: Tensor, chosen: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """One predicted and one true label a frame, (N,) int64 each; IGNORED where there is none.

    Args:
        probabilities: (N, C).
        chosen: (N, C) bool, predicted classes.
        truth: (N, C) int8, see :func:`truths_of`.

    Example:
        >>> probabilities = torch.tensor([[0.1, 0.9, 0.8]])
        >>> single_labels(probabilities, probabilities >= 0.5, torch.tensor([[0, 1, 1]]))
        (tensor([1]), tensor([1]))
    """
    label = probabilities.masked_fill(~chosen, -1.0).argmax(1).where(chosen.any(1), IGNORED)
    right = (truth.gather(1, label.clamp(min=0).unsqueeze(1)).squeeze(1) > 0) & (label >= 0)
    return label, torch.where(right, label, first_class(truth))
