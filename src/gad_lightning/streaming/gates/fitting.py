"""Fits an EventGate to a trained classifier: its head on training videos, its threshold on validation videos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from gad_lightning.atomic import atomic_write
from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import DataError, SettingError
from gad_lightning.results.gate_table import GateRow, GateTable
from gad_lightning.schema import LabelSet
from gad_lightning.streaming.gates.base import Gate
from gad_lightning.streaming.gates.event_gate import AboutGate, EventGate, GateHead, mark_of, write_gate
from gad_lightning.streaming.gates.every_nth import EveryNth
from gad_lightning.streaming.gates.feature_change import FeatureChange
from gad_lightning.streaming.gates.simulating import simulate, worth
from gad_lightning.streaming.gates.watched import Watched, watch_split

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Candidates; at the lowest one, hardly a frame is left out."""
STEPS, ROWS, RATE = 600, 1024, 1e-2
"""Of the head's training: 600 thousand frames take seconds."""
RAREST = 5.0
"""Most that a rare class counts beside a frequent one."""


class FittedGate(NamedTuple):
    """A gate, and what it is worth on the validation split beside others."""

    gate: EventGate
    table: GateTable


def fit_gate(
    classifier: Classifier,
    data: ActionDataModule,
    file: Path,
    layers: int = 2,
    longest_wait: float = 5.0,
    loss: float = 0.005,
    delay: float = 1.0,
    task: int = 0,
    seed: int = 0,
) -> FittedGate:
    """Fit a gate to a classifier and write it.

    The head learns the label that the whole classifier gives to each training frame, rare classes counting more. Of the
    thresholds that cost no more than is stated on the validation split, the one that leaves out the most is taken.
    Both splits are read once, as live streams; the test split is never used.

    Args:
        classifier: trained in ``one_pass`` mode, one label a frame.
        data: the classifier's, with training and validation videos.
        file: to write, ``.safetensors``.
        layers: lowest layers that every frame is read by.
        longest_wait: seconds after which a label is found anew at the latest.
        loss: of segment-F1, and of accuracy, that it may cost, at least 0: 0.005 is half a point.
        delay: mean frames by which a label that begins may be shown later, at least 0.
        task: index into the schema's tasks.
        seed: of the head's first weights and of the order of frames.

    Raises:
        SettingError: if a setting is out of its range, several labels can be true at once, the classifier does not fit,
            or every threshold costs more than is stated.
        DataError: if a split has no videos, or no frame whose label is known.
    """
    labels = _checked(classifier, data, task, loss, delay)
    EveryNth(1, longest_wait)  # refuses what is no time, before anything is read
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir():
        raise SettingError(f"{file} is a folder.", "name a file to write")
    with atomic_write(file) as part:  # a folder that cannot be written to is told at once
        seen = {split: watch_split(classifier, data, split, layers, task) for split in ("train", "val")}
        head, mark = _head_of(seen["train"], len(labels.names), seed), mark_of(classifier)
        about = AboutGate(layers, longest_wait, THRESHOLDS[0], labels.names)
        write_gate(part, head, mark, about)
        table, threshold = _chosen(part, seen["val"], loss, delay)
        write_gate(part, head, mark, about._replace(threshold=threshold))
    found = seen["val"]
    facts = (found.observed.num_videos, layers, len(classifier.backbone.blocks), found.changes, longest_wait)
    return FittedGate(EventGate(file), GateTable("val", *facts, table))


def _checked(classifier: Classifier, data: ActionDataModule, task: int, loss: float, delay: float) -> LabelSet:
    """The classes that a gate can be fitted to.

    Raises:
        SettingError, DataError: see :func:`fit_gate`.
    """
    labels = classifier.check_task(data, task).labels
    if labels.multi_label:
        raise SettingError("Several labels can be true at once, and a gate keeps one.", "leave the gate out")
    for name, value in (("loss", loss), ("delay", delay)):
        if not value >= 0:
            raise SettingError(f"{name} is what a gate may cost, at least 0, got {value}.", "set it to 0 or more")
    for split in ("train", "val"):
        if not data.videos(split):
            raise DataError(
                f"{type(data).__name__} has no {split} split: a gate is trained on training videos and its threshold "
                "chosen on others.",
                "name a val split, or set data.val_fraction above 0",
            )
    return labels


def _head_of(watched: Watched, classes: int, seed: int) -> GateHead:
    """Train the head."""
    states, label = watched.states, watched.label
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(seed)
        states = states.clone()  # tensors of inference mode could not be trained on
        head = GateHead(states.shape[1], classes)
        head.mean.copy_(states.mean(0))
        spread = states.std(0, correction=0)
        head.spread.copy_(spread.clamp(min=1e-3 * float(spread.max()) + 1e-12))  # what hardly varies tells nothing
        weight = 1 / torch.bincount(label, minlength=classes).clamp(min=1)
        weight = (weight / weight[label].mean()).clamp(max=RAREST)
        optimizer = torch.optim.AdamW(head.parameters(), weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
        for _ in range(STEPS):
            rows = torch.randint(len(label), (ROWS,))
            loss = nn.functional.cross_entropy(head(states[rows]), label[rows], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return head.eval()


def _chosen(file: Path, watched: Watched, loss: float, delay: float) -> tuple[tuple[GateRow, ...], float]:
    """The rows of the table, the chosen gate's first, and its threshold.

    Raises:
        SettingError: if none is cheap enough.
    """
    wait = EventGate(file).longest_wait
    tried = {threshold: EventGate(file, threshold) for threshold in THRESHOLDS}
    own = {threshold: _row(f"EventGate {threshold:g}", gate, watched) for threshold, gate in tried.items()}
    others: dict[str, Gate] = {"no gate": EveryNth(1), "longest_wait alone": EveryNth(sys.maxsize, wait)}
    others |= {f"EveryNth {n}": EveryNth(n) for n in (2, 3, 4, 8)}
    others |= {f"FeatureChange {least:g}": FeatureChange(least, wait) for least in (0.1, 0.2, 0.4, 0.8)}
    rows = [_row(name, gate, watched) for name, gate in others.items()]
    every = rows[0]
    cheap = [
        threshold
        for threshold, row in own.items()
        if row.segment_f1 >= every.segment_f1 - loss and row.accuracy >= every.accuracy - loss and row.delay <= delay
    ]
    if not cheap:
        first = own[THRESHOLDS[0]]
        raise SettingError(
            f"Every threshold costs more than loss {loss:g} and delay {delay:g} allow: at {THRESHOLDS[0]:g} segment-F1 "
            f"is {first.segment_f1:.4f} and accuracy {first.accuracy:.4f}, without a gate {every.segment_f1:.4f} and "
            f"{every.accuracy:.4f}; the delay is {first.delay:.2f} frames.",
            "allow more loss, or more layers",
        )
    best = max(cheap, key=lambda threshold: own[threshold].saved)
    return (own.pop(best), every, *own.values(), *rows[1:]), best


def _row(name: str, gate: Gate, watched: Watched) -> GateRow:
    return worth(name, watched, simulate(gate, watched))
