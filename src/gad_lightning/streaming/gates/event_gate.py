"""Opens where the lowest layers no longer see the label that stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.streaming.gates.base import Gate, Glimpse

KEY, MARK = "gad_lightning.gate", "mark"
MARKED = 64
"""Numbers of each weight that a classifier is known by."""
SAME = 1e-2
"""By which the marks of one classifier may differ in another number format."""


class AboutGate(NamedTuple):
    """What a gate was fitted with."""

    layers: int
    longest_wait: float  # seconds
    threshold: float  # in [0, 1]
    names: tuple[str, ...]  # of the classes


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
        stored = _read(Path(file))
        about = stored.about
        super().__init__(about.layers, about.longest_wait if longest_wait is None else longest_wait)
        self.file, self.names, self.head = str(file), about.names, stored.head
        self.threshold = about.threshold if threshold is None else threshold
        if not (isinstance(self.threshold, int | float) and 0 <= self.threshold <= 1):
            raise SettingError(f"threshold of EventGate lies in [0, 1], got {threshold!r}.", "leave it out")
        self.register_buffer("mark", stored.mark, persistent=False)

    mark: Tensor

    def check(self, classifier: Classifier, task: int) -> None:
        """Refuse a classifier that this gate was not fitted to.

        Raises:
            SettingError: if it has other classes, or other weights.
        """
        names, mark = classifier.schema.tasks[task].labels.names, mark_of(classifier)
        known = names == self.names and mark.shape == self.mark.shape
        if not known or float((mark - self.mark.cpu()).abs().max()) > SAME:
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
        opens: Tensor = ~(doubt < self.threshold) | ~known.to(doubt.device)  # what is no number opens
        return opens


def mark_of(classifier: Classifier) -> Tensor:
    """Some trained weights outside of the layers, (n,) float32, each part over its largest: alike in any number format.

    Layers are left out, as their weights change where a LoRA is merged or they are held in fewer bits.
    """
    layers = {id(weight) for block in classifier.backbone.blocks for weight in block.parameters()}
    parts = [
        weight.detach().flatten()[:MARKED].float().cpu() for weight in _own(classifier) if id(weight) not in layers
    ]
    return torch.cat([part / part.abs().max().clamp(min=1e-12) for part in parts if len(part)])


def _own(classifier: Classifier) -> list[nn.Parameter]:
    """Weights of connector, new tokens and heads, by their names: what is no part of the language model."""
    decoder = classifier.backbone.decoder
    held = set() if decoder is None else {id(weight) for weight in decoder.parameters()}
    named = sorted(classifier.named_parameters(), key=lambda pair: pair[0])
    return [weight for name, weight in named if id(weight) not in held and ".model." not in name]


def write_gate(file: Path, head: GateHead, mark: Tensor, about: AboutGate) -> None:
    """Write a gate: its head, the mark of its classifier, and what it was fitted with."""
    weights = {name: part.detach().float().cpu().contiguous() for name, part in head.state_dict().items()}
    save_file({**weights, MARK: mark}, file, metadata={KEY: json.dumps(about._asdict())})


class _Stored(NamedTuple):
    """What a file holds."""

    about: AboutGate
    head: GateHead
    mark: Tensor


def _read(file: Path) -> _Stored:
    if not file.is_file():
        raise MissingDataError(f"There is no gate {file}.", "make it with gad-lightning fit-gate")
    try:
        with safe_open(file, "pt") as opened:
            told = (opened.metadata() or {}).get(KEY)
            weights = {name: opened.get_tensor(name) for name in sorted(opened.keys())}
        if told is None:
            raise CheckpointError(f"{file} is no gate.", "give a file that gad-lightning fit-gate wrote")
        given = json.loads(told)
        names = tuple(str(name) for name in given["names"])
        about = AboutGate(int(given["layers"]), float(given["longest_wait"]), float(given["threshold"]), names)
        mark = weights.pop(MARK)
        hidden, width = weights["layers.0.weight"].shape
        head = GateHead(width, len(names), hidden)
        head.load_state_dict(weights)
        return _Stored(about, head.eval(), mark)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}.", "fit the gate again") from error
