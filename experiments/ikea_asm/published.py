"""What each of the eight published models says of IKEA ASM's frames, and the most frequent class, scored as all others.

    python experiments/ikea_asm/published.py SOURCE RUN/config.yaml

A line of JSON each: segment-F1 and frame accuracy on validation and on test, with a steady label too. A model's name
is in ``about.json``; the best one is that of validation.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "baselines"))
from baseline import WHOLE, Baseline, data_of, steady_scores

from gad_lightning.data.base import ActionDataModule
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch

SURE = 4.0
"""Logit of the class that is said; the temperature that is fitted on validation makes it weigh what it should."""


class Said(Baseline):
    """The class that one model said, or always the same one.

    Args:
        schema: features of eight one-hot labels a frame, as ``prepare.py`` writes.
        columns: (C,) feature that says a class; below 0 where none does.
        constant: class that is always said; None takes the columns.
    """

    def __init__(self, schema: DataSchema, columns: list[int], constant: int | None = None) -> None:
        super().__init__(schema)
        self.columns, self.constant = columns, constant

    def logits(self, frames: Tensor, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C)."""
        if self.constant is not None:
            found = torch.zeros(len(batch.label), self.num_classes)
            found[:, self.constant] = SURE
            return found
        raw = (frames * self.std + self.mean)[batch.sample, batch.anchor]
        known = torch.tensor(self.columns)
        return SURE * torch.where(known >= 0, raw[:, known.clamp(min=0)], torch.zeros(()))


def most_frequent(data: ActionDataModule) -> int:
    """The class of most training frames."""
    counted = torch.zeros(len(data.schema.tasks[0].labels.names), dtype=torch.long)
    for laid in data.dataset("train").timelines:
        labels = torch.as_tensor(laid.queries.label).long()
        counted += torch.bincount(labels[labels >= 0], minlength=len(counted))
    return int(counted.argmax())


def main() -> None:
    """Print a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with about.json")
    parser.add_argument("config", type=Path, help="of a run, whose data section is taken")
    given = parser.parse_args()
    about = json.loads((given.source / "about.json").read_text(encoding="utf-8"))
    data = data_of(given.config, {"mode": "one_pass", "short_memory": 1, "chunk": WHOLE, "batch_size": 8})
    data.setup("fit")
    data.setup("test")
    names = [name if name in about["classes"] else "NA" for name in data.schema.tasks[0].labels.names]
    places = [about["classes"].index(name) for name in names]
    tried = {"most frequent": Said(data.schema, [], most_frequent(data))}
    for number, model in enumerate(about["models"]):
        tried[str(model)] = Said(data.schema, [number * len(about["classes"]) + place for place in places])
    for name, model in tried.items():
        print(json.dumps({"model": name, "data": str(given.config), **steady_scores(model.eval(), data)}), flush=True)


if __name__ == "__main__":
    main()
