"""What costs a tiny Disc its lead: one change of the recipe at a time, scored on validation videos alone.

    python experiments/ablations/one_change.py jigsaws ikea dials --home runs/contexts
    python experiments/ablations/one_change.py tables

The recipe is ``AnchorFrameSlot`` and ``TruncatedSmoothing``; data, splits and epochs as in ``experiments/contexts``.
A row a run lies in ``--rows``; what is stored is not run again. The weights are those after the last epoch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from lightning import seed_everything
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm
from torch.optim import AdamW, Optimizer

from gad_lightning import (
    AnchorFrameSlot,
    DiscriminativeClassifier,
    LinearHead,
    MLPConnector,
    PaperAdamW,
    Prompt,
    TinyBackbone,
    TruncatedSmoothing,
)
from gad_lightning.atomic import make_folder
from gad_lightning.compare.record import surroundings
from gad_lightning.results.standard import SEGMENT_F1, TOP1, space_of
from gad_lightning.results.tables import write_json
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED, Batch, Loss

sys.path.append(str(Path(__file__).resolve().parent.parent / "contexts"))

from candidates import DATA, quiet_trainer
from run import measured

RATE = 3e-3
"""What the library chooses for a hidden size of 64."""
METRICS = (TOP1, SEGMENT_F1)


class SmoothedLabels(LinearHead):
    """Label smoothing of 0.1, as a loss beside the cross entropy."""

    def extra_losses(self, states: Tensor, label: Tensor, weight: Tensor) -> Mapping[str, Loss]:
        """Cross entropy with all classes alike."""
        known = label != IGNORED
        each = -self(states)[known].float().log_softmax(1).mean(1) * weight[known]
        return {"smoothing_of_labels": Loss(0.1 / 0.9 * each.sum(), known.sum().to(each.dtype))}


class BalancedClasses(LinearHead):
    """Weights of 1 over the root of a class's share so far, with a mean of 1 over the queries."""

    def __init__(self, hidden_size: int, labels: LabelSet, dropout: float = 0.0) -> None:
        super().__init__(hidden_size, labels, dropout)
        self.register_buffer("seen", torch.ones(len(labels.names)), persistent=False)

    def extra_losses(self, states: Tensor, label: Tensor, weight: Tensor) -> Mapping[str, Loss]:
        """What the weights add to the loss, which may be negative."""
        known = label != IGNORED
        of, seen = label[known], self.get_buffer("seen")
        seen += torch.bincount(of, minlength=len(seen))
        given = (seen.sum() / seen).sqrt()
        given = given / (given * seen).sum() * seen.sum()
        each = cross_entropy(self(states)[known].float(), of, reduction="none") * weight[known] * (given[of] - 1)
        return {"balance": Loss(each.sum(), known.sum().to(each.dtype))}


class NormedConnector(MLPConnector):
    """Visual tokens with the norm that the language model's embeddings have."""

    def forward(self, frames: Tensor) -> Tensor:
        """Map visual tokens, (n, D) -> (n, H)."""
        mapped = super().forward(frames)
        return layer_norm(mapped, mapped.shape[-1:]) * mapped.shape[-1] ** -0.5 / 2  # as TinyBackbone begins


class DroppedFrames(DiscriminativeClassifier):
    """A tenth of the frames is zero in training."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Train on what is left."""
        kept = torch.rand(batch.frames.shape[:2], device=batch.frames.device) >= 0.1
        return super().training_step(batch._replace(frames=batch.frames * kept[:, :, None, None]), batch_idx)


class OtherRate(DiscriminativeClassifier):
    """Another learning rate for what is no language model: connector, new token, head."""

    factor = 1.0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Two groups of weights."""
        decoder = self.backbone.decoder
        assert decoder is not None
        inner = {id(weight) for weight in decoder.parameters()}

        def made(weights: Iterable[nn.Parameter]) -> Optimizer:
            chosen = list(weights)
            of_decoder = [weight for weight in chosen if id(weight) in inner]
            others = [weight for weight in chosen if id(weight) not in inner]
            return AdamW([{"params": of_decoder, "lr": RATE}, {"params": others, "lr": RATE * self.factor}])

        self.make_optimizer = made
        return super().configure_optimizers()


class SlowConnector(OtherRate):
    """A third of the rate."""

    factor = 1 / 3


class FastConnector(OtherRate):
    """Three times the rate."""

    factor = 3.0


class Arm(NamedTuple):
    """One change of the recipe."""

    kind: type[DiscriminativeClassifier] = DiscriminativeClassifier
    head: type[LinearHead] = LinearHead
    connector: type[MLPConnector] = MLPConnector
    averaged: bool = False
    windows: Mapping[str, int] = MappingProxyType({})
    rate: float = RATE


BASE = "recipe"
ARMS = {
    BASE: Arm(),
    "label smoothing 0.1": Arm(head=SmoothedLabels),
    "class weights, root of the share": Arm(head=BalancedClasses),
    "average of weights (EMA 0.99)": Arm(averaged=True),
    "a tenth of the frames dropped": Arm(kind=DroppedFrames),
    "visual tokens normed as embeddings": Arm(connector=NormedConnector),
    "connector, slot, head at 1/3 of the rate": Arm(kind=SlowConnector),
    "connector, slot, head at 3 times the rate": Arm(kind=FastConnector),
    "window and chunk of 256 frames for 64": Arm(windows={"short": 256, "chunk": 256}),
}


def train(data: str, arm: str, seed: int, home: Path) -> dict[str, Any]:
    """Train, and score the validation videos."""
    module, given = DATA[data].make(home, seed), ARMS[arm]
    module.windows = module.windows._replace(**given.windows)
    seed_everything(seed, verbose=False)
    classifier = given.kind(
        head=given.head,
        objectives=[TruncatedSmoothing()],
        slot=AnchorFrameSlot(),
        backbone=TinyBackbone(seed=seed, connector=given.connector),
        schema=module.schema,
        prompt=Prompt(question="action?"),
        optimizer=partial(PaperAdamW, lr=given.rate),
    )
    callbacks: list[Callback] = [EMAWeightAveraging(decay=0.99)] if given.averaged else []
    with tempfile.TemporaryDirectory() as folder:
        quiet_trainer(data, Path(folder), callbacks).fit(classifier, module)
    counts = measured(classifier, module, "val")
    space = space_of(module.schema.tasks[0])
    values = {metric.name: float(metric.value(torch.tensor(counts[metric.name]).sum(0), space)) for metric in METRICS}
    return {"data": data, "arm": arm, "seed": seed, **surroundings(), **values}


def table(rows: Path) -> str:
    """Mean difference from the recipe, paired by seed, and its smallest and largest."""
    found = [json.loads(file.read_text()) for file in sorted(rows.glob("*.json"))]
    values = {(row["data"], row["arm"], row["seed"]): row for row in found}
    names = [name for name in DATA if any(row["data"] == name for row in found)]
    lines = ["| validation | " + " | ".join(f"{name}, {m.name}" for name in names for m in METRICS) + " |"]
    lines.append("| --- |" + " ---: |" * (len(names) * len(METRICS)))
    for arm in ARMS:
        cells = []
        for name in names:
            seeds = [seed for data, of, seed in values if data == name and of == arm and (name, BASE, seed) in values]
            for metric in METRICS:
                own = [values[name, arm, seed][metric.name] for seed in seeds]
                if arm == BASE:
                    cells.append(f"{statistics.mean(own):.3f}" if own else "-")
                    continue
                gains = [value - values[name, BASE, seed][metric.name] for value, seed in zip(own, seeds, strict=True)]
                spread = f" [{min(gains):+.3f}, {max(gains):+.3f}]" if gains else ""
                cells.append(f"{statistics.mean(gains):+.3f}{spread}" if gains else "-")
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", choices=[*DATA, "tables"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--home", type=Path, default=Path("runs/contexts"), help="folder of the prepared data")
    parser.add_argument("--rows", type=Path, default=Path("runs/ablations"), help="where the results go")
    given = parser.parse_args()
    if given.data == ["tables"]:
        print(table(given.rows))
        return
    for data, seed, (number, arm) in product(given.data, given.seeds, enumerate(ARMS)):
        target = make_folder(given.rows) / f"{data}-{number}-{seed}.json"
        if not target.is_file():
            row = train(data, arm, seed, given.home)
            write_json(target, row)
            print(data, arm, seed, *(f"{metric.name} {row[metric.name]:.3f}" for metric in METRICS), flush=True)


if __name__ == "__main__":
    main()
