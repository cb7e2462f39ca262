"""Write the checkpoints of this release: ``python -m tests.legacy.make``, once, when it is released.

A folder of a release is never written again: its files say what that release wrote.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from gad_lightning import __version__
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.ablations.two_stage import TwoStageClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from tests.classifiers.making import WIDTH, batch, make

HERE = Path(__file__).resolve().parent
KINDS: dict[str, tuple[type[Classifier], dict[str, object]]] = {
    "discriminative": (DiscriminativeClassifier, {}),
    "gad": (GADClassifier, {"context": PreviousActions(2), "answer_fraction": 0.5}),
    "gad-generative-first": (OrderedGADClassifier, {"context": PreviousActions(2), "order": "generative_first"}),
    "gad-parallel": (OrderedGADClassifier, {"context": PreviousActions(), "order": "parallel"}),
    "generative": (GenerativeClassifier, {}),
    "single": (GenerativeClassifier, {"labels": SingleTokenLabels()}),
    "two-stage": (TwoStageClassifier, {"context": PreviousActions()}),
}


def frames() -> Tensor:
    """Three samples of five frames that no random generator made."""
    return torch.sin(torch.arange(3 * 5 * WIDTH).float() ** 2 * 0.3).reshape(3, 5, 1, WIDTH)


def write(folder: Path) -> None:
    """Train each kind a little, save it both ways, and note its scores."""
    folder.mkdir()
    scores = {}
    for name, (kind, arguments) in KINDS.items():
        backbone = TinyBackbone(hidden_size=16, num_layers=1, max_positions=64)
        classifier = make(
            kind, backbone=backbone, optimizer=lambda weights: torch.optim.AdamW(weights, lr=0.02), **arguments
        )
        data = [batch(frames(), [[1, 4], [2], [3]], torch.tensor([1, 2, 3, 0]))] * 60
        trainer = Trainer(max_steps=60, accelerator="cpu", logger=False, enable_checkpointing=False)
        trainer.fit(classifier, DataLoader(data, batch_size=None))
        trainer.save_checkpoint(folder / f"{name}.ckpt")
        classifier.save_pretrained(folder / name)
        with torch.no_grad():
            scores[name] = classifier.eval()(frames()).tolist()
    (folder / "scores.json").write_text(json.dumps(scores, indent=1))


if __name__ == "__main__":
    write(HERE / __version__)
