"""What is measured on the states of a trained classifier: rejection scores, and classes that are added to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from open_settings import DRAWS, SHOTS
from torch import Tensor, nn

from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.classifiers.open_world.stacking import best_offset
from gad_lightning.heads.factor import FactorHead
from gad_lightning.heads.text import TextHead
from gad_lightning.metrics.open_set import OpenSet
from gad_lightning.rejection.base import RejectionScore
from gad_lightning.rejection.energy import EnergyScore
from gad_lightning.rejection.generalized_entropy import GeneralizedEntropyScore
from gad_lightning.rejection.mahalanobis import MahalanobisScore
from gad_lightning.rejection.max_logit import MaxLogitScore
from gad_lightning.rejection.max_softmax import MaxSoftmaxScore
from gad_lightning.rejection.neighbors import NeighborScore
from gad_lightning.rejection.virtual_logit import ViMScore
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED

Columns = Mapping[str, np.ndarray]
Row = dict[str, Any]
TEXT_WEIGHT = 4.0
SCORES: Sequence[type[RejectionScore]] = (
    MaxSoftmaxScore,
    MaxLogitScore,
    EnergyScore,
    GeneralizedEntropyScore,
    NeighborScore,
    ViMScore,
    MahalanobisScore,
)


def rejection_rows(
    classifier: DiscriminativeClassifier, columns: Columns, labels: LabelSet, hidden: Sequence[str]
) -> list[Row]:
    """Open-set scores of every rejection score on validation and test: that know actions alone, and background too."""
    return [
        {"kind": "rejection", "score": make.__name__, "actions_only": actions_only, "on": split, **found}
        for make in SCORES
        for actions_only in (True, False)
        for split, found in _rejected(classifier, columns, labels, Rejector(make(), actions_only=actions_only)).items()
    ]


@torch.no_grad()
def _rejected(
    classifier: DiscriminativeClassifier, columns: Columns, labels: LabelSet, rejector: Rejector
) -> dict[str, dict[str, float]]:
    """Fit as ``fit_rejection`` does, from states that are there, and score validation and test."""
    known, head = classifier.schema.tasks[0].labels, classifier.heads[0]
    place = _table(labels, known.names, len(known.names))
    kept = rejector.known(known)
    states, label, _ = _segments(columns, "train", np.where(place == len(known.names), IGNORED, place))
    rows = torch.isin(label, kept)
    logits = head(states[rows]).float()[:, kept]
    rejector.score.fit(states[rows], logits, label[rows], classifier.origin_of(0))
    found = {}
    for split in ("val", "test"):
        states, target, video, frame = _frames(columns, split, place)
        logits = head(states).float()
        rejection, said = rejector.scored(states, logits, known), logits.argmax(1)
        metric = OpenSet(len(known.names), known.background, gaps="cut")
        metric.update(rejection, said, target, video, frame)
        found[split] = {name: round(float(value), 5) for name, value in metric.compute().items()}
        lost = said[target == len(known.names)] == (-1 if known.background is None else known.background)
        found[split]["unknown_as_background"] = round(float(lost.float().mean()), 5)
    return found


def shot_rows(
    classifier: DiscriminativeClassifier,
    columns: Columns,
    labels: LabelSet,
    names: Sequence[str],
    told: Mapping[str, Any],
    split: int,
    tower: Callable[[], str],
) -> list[Row]:
    """Accuracy of new classes that were given by text and examples, or, of a classifier that knows all, of the same."""
    head, trained = classifier.heads[0], classifier.schema.tasks[0].labels.names
    new = [name for name in names if name not in trained]
    order = [*(name for name in trained if name not in names), *(new or names)]
    table = _table(labels, order, IGNORED)
    common = {"kind": "shots", "split": split}
    if not new:  # trained on all of them
        places = torch.tensor([trained.index(name) for name in order])
        found = _judged(lambda states: head(states)[:, places], columns, table, len(order) - len(names))
        return [{**common, "shots": "full", **{key: round(value, 5) for key, value in found.items()}}]
    rows = []
    for shots in SHOTS if isinstance(head, TextHead) else (0,):
        if shots == 0 and isinstance(head, TextHead) and head.mode == "free":
            continue
        found = []
        for draw in range(DRAWS if shots else 1):
            grown = deepcopy(head)
            _grow(grown, classifier, columns, labels, new, told, shots, draw)
            found.append(_judged(grown, columns, table, len(trained)))
        keys = found[0]
        means = {key: round(float(np.nanmean([one[key] for one in found])), 5) for key in keys}
        rows.append({**common, "shots": shots, **means})
    return rows


@torch.no_grad()
def _grow(
    head: nn.Module,
    classifier: DiscriminativeClassifier,
    columns: Columns,
    labels: LabelSet,
    new: Sequence[str],
    told: Mapping[str, Any],
    shots: int,
    draw: int,
) -> None:
    """Add classes as ``add_classes`` does, from states that are there."""
    if isinstance(head, FactorHead):
        head.add_pairs({name: told[name] for name in new})
        return
    assert isinstance(head, TextHead)
    texts = {} if head.mode == "free" else {name: told[name] for name in new}
    rows = head.rows_of(texts, partial(embed_texts, classifier.backbone))
    states, label, _ = _segments(columns, "train", _table(labels, list(new), IGNORED))
    made = []
    for number, name in enumerate(new):
        of_class = states[label == number]
        order = np.random.default_rng([draw, number]).permutation(len(of_class))[:shots]
        shown = of_class[torch.from_numpy(order)] if len(order) else None
        text = rows.get(name)
        nothing = shown is None and text is None
        made.append(torch.zeros(head.width or 0) if nothing else head.row_for(shown, text, TEXT_WEIGHT))
    head.make_room(len(new))
    head.added[-1].copy_(torch.stack(made))


@torch.no_grad()
def _judged(head: Callable[[Tensor], Tensor], columns: Columns, table: np.ndarray, size: int) -> dict[str, float]:
    """Accuracies on test, the constant on the new logits chosen on validation."""
    logits = {split: head(torch.from_numpy(columns[f"{split}_states"])).float() for split in ("val", "test")}
    targets = {split: _target(columns, split, table) for split in ("val", "test")}
    scored = targets["val"] >= 0
    offset = 0.0
    if bool((targets["val"][scored] >= size).any()):
        offset = best_offset(logits["val"][scored, :size], logits["val"][scored, size:], targets["val"][scored])
    new = logits["test"].shape[1] - size
    plain = _accuracies(logits["test"], targets["test"], new)
    logits["test"][:, size:] += offset
    stacked = _accuracies(logits["test"], targets["test"], new)
    return {**stacked, "plain_seen": plain["seen"], "plain_new": plain["new"], "offset": offset}


def _accuracies(logits: Tensor, target: Tensor, new: int) -> dict[str, float]:
    """Means over classes: of trained ones, of the ``new`` last ones, of these among themselves, the harmonic mean."""
    size = logits.shape[1] - new
    said, among = logits.argmax(1), logits[:, size:].argmax(1) + size

    def mean(predicted: Tensor, classes: range) -> float:
        """Mean recall of the classes that occur."""
        shown = [index for index in classes if bool((target == index).any())]
        each = [float((predicted == target)[target == index].float().mean()) for index in shown]
        return float(np.mean(each)) if each else float("nan")

    seen, unseen = mean(said, range(size)), mean(said, range(size, size + new))
    harmonic = 2 * seen * unseen / max(seen + unseen, 1e-12)
    return {"seen": seen, "new": unseen, "harmonic": harmonic, "among_new": mean(among, range(size, size + new))}


def _table(labels: LabelSet, names: Sequence[str], other: int) -> np.ndarray:
    """Place of every class in ``names``; ``other`` for actions that are not in it, IGNORED for what is no action."""
    alone = (labels.background, labels.ignore)
    return np.array(
        [
            names.index(name) if name in names else IGNORED if index in alone else other
            for index, name in enumerate(labels.names)
        ]
    )


def _target(columns: Columns, split: str, table: np.ndarray) -> Tensor:
    label = columns[f"{split}_label"]
    return torch.from_numpy(np.where(label == IGNORED, IGNORED, table[label.clip(0)]))


def _frames(columns: Columns, split: str, table: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """States, labels, video and frame of a split."""
    states, video, frame = (torch.from_numpy(columns[f"{split}_{name}"]) for name in ("states", "video", "frame"))
    return states, _target(columns, split, table), video, frame


def _segments(columns: Columns, split: str, table: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Mean state (n, H), label (n,) and length (n,) of the runs of one label."""
    states, target, video, _ = _frames(columns, split, table)
    starts = torch.ones(len(target), dtype=torch.bool)
    starts[1:] = (target[1:] != target[:-1]) | (video[1:] != video[:-1])
    number = starts.cumsum(0) - 1
    count = torch.bincount(number)
    means = torch.zeros(len(count), states.shape[1]).index_add_(0, number, states) / count.unsqueeze(1)
    label = target[starts]
    kept = label != IGNORED
    return means[kept], label[kept], count[kept]
