"""Opens where the lowest layers no longer see the label that stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.streaming.gates.base import Gate, Glimpse

KEY = "gad_lightning.gate"
SAME = 1e-2
"""Share by which the mark of one classifier may differ in another number format."""


class GateHead(nn.Module):
    """Guesses the label of the whole classifier from the slot after its lowest layers.

    Args:
        width: H.
        classes: C.
        hidden: units between.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int, classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, classes))

    def forward(self, states: Tensor) -> Tensor:
        """States (n, H) -> (n, C) logits."""
        logits: Tensor = self.layers((states.to(self.mean) - self.mean) / self.spread)
        return logits


class EventGate(Gate):
    """Opens where a small head, on the slot after the lowest layers, gives the standing label too little probability.

    The head has learned what label the whole classifier gives; :func:`fit_gate` and ``gad-lightning fit-gate`` make it,
    for one classifier. So a change that was missed at its first frame opens at the next one.

    Args:
        file: that ``gad-lightning fit-gate`` wrote.
        threshold: opens where the probability of another label than the standing one is this or more, in [0, 1]; as it
            was fitted if None.
        longest_wait: see :class:`Gate`; as it was fitted if None.

    Raises:
        MissingDataError: if there is no such file.
        CheckpointError: if it is no gate, or damaged.
        SettingError: if a setting is out of its range.
    """

    def __init__(self, file: str | Path, threshold: float | None = None, longest_wait: float | None = None) -> None:
        about, weights = _read(Path(file))
        super().__init__(int(about["layers"]), float(about["longest_wait"] if longest_wait is None else longest_wait))
        self.file = str(file)
        self.threshold = float(about["threshold"] if threshold is None else threshold)
        if not 0 <= self.threshold <= 1:
            raise SettingError(f"threshold of EventGate lies in [0, 1], got {threshold}.", "leave it out")
        self.names = tuple(map(str, about["names"]))
        mark = weights.pop("mark")
        self.register_buffer("mark", mark, persistent=False)
        hidden, width = weights["layers.0.weight"].shape
        self.head = GateHead(width, len(self.names), hidden)
        self.head.load_state_dict(weights)

    mark: Tensor

    def check(self, classifier: Classifier, task: int) -> None:
        """Refuse a classifier that this gate was not fitted to.

        Raises:
            SettingError: if it has other classes, or other weights.
        """
        names = classifier.schema.tasks[task].labels.names
        mark = mark_of(classifier)
        same_size = mark.shape == self.mark.shape
        if (
            names[: len(self.names)] != self.names
            or not same_size
            or not torch.allclose(mark, self.mark.to(mark), rtol=SAME, atol=SAME * float(self.mark.abs().max()))
        ):
            raise SettingError(
                f"The gate {self.file} was fitted to another classifier.", "fit one to this with gad-lightning fit-gate"
            )
        super().check(classifier, task)

    def forward(self, seen: Glimpse) -> Tensor:
        """Open where the standing label is doubted, or was added after the gate was fitted."""
        probabilities = self.head(seen.states).softmax(1)
        known = seen.label < len(self.names)
        label = seen.label.clamp(max=len(self.names) - 1).to(probabilities.device).unsqueeze(1)
        doubt = 1 - probabilities.gather(1, label).squeeze(1)
        opens: Tensor = (doubt >= self.threshold) | ~known.to(doubt.device)
        return opens


def mark_of(classifier: Classifier) -> Tensor:
    """What a classifier's connector makes of a frame of ones, (H,) float32: equal in any number format."""
    spec, where = classifier.schema.features, next(classifier.backbone.connector.parameters())
    ones = torch.ones(1, 1, spec.tokens_per_frame, spec.width, device=where.device, dtype=where.dtype)
    with torch.no_grad():
        return classifier.backbone.visual(ones)[0, 0].float().cpu()


def write_gate(file: Path, head: GateHead, mark: Tensor, about: Mapping[str, Any]) -> None:
    """Write a gate: its head, the mark of its classifier, and layers, threshold, longest_wait and names."""
    weights = {name: part.detach().float().cpu().contiguous() for name, part in head.state_dict().items()}
    save_file({**weights, "mark": mark}, file, metadata={KEY: json.dumps(dict(about))})


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not file.is_file():
        raise MissingDataError(f"There is no gate {file}.", "make it with gad-lightning fit-gate")
    try:
        with safe_open(file, "pt") as opened:
            told = (opened.metadata() or {}).get(KEY)
            weights = {name: opened.get_tensor(name) for name in sorted(opened.keys())}
        if told is None:
            raise CheckpointError(f"{file} is no gate.", "give a file that gad-lightning fit-gate wrote")
        about: dict[str, Any] = json.loads(told)
        return about, weights
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}.", "fit the gate again") from error
