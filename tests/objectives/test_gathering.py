"""Losses over the pairs of a batch: several processes compare what one would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.contrast_text import ContrastText
from gad_lightning.objectives.gathering import gathered
from gad_lightning.objectives.slices import FrameSlices
from gad_lightning.objectives.structure_induced import StructureInduced
from gad_lightning.types import IGNORED, Batch
from tests.classifiers.making import batch, random_frames, schema
from tests.training.processes import start
from tests.training.program import Book


def test_one_process_has_all_rows_already() -> None:
    rows = torch.randn(3, 2)
    assert gathered(rows) is rows


def uneven(step: int) -> Batch:
    """Four samples of two, one, one and no query; one is not scored, so that a process compares nothing."""
    asked = batch(random_frames(4, 8, seed=step), [[1, 7], [5], [3], []], torch.tensor([1, 2, 3, IGNORED]))
    return asked._replace(first_frame=torch.tensor([0, 0, 0, 4]))


def objectives() -> list[Objective]:
    """All that compare the queries of a batch."""
    frames = StructureInduced(slices=FrameSlices(2), reduction="mean", same_sample=1.0)
    return [StructureInduced(), frames, ContrastText()]


def fit(rank: int, processes: int, folder: Path) -> None:
    """Train for three steps on this process's queries, and write losses and weights."""
    torch.set_num_threads(1)
    steps = [uneven(step) for step in range(3)]
    own = [whole.asking(whole.sample % processes == rank) for whole in steps]
    torch.manual_seed(0)
    backbone = TinyBackbone(hidden_size=16, num_layers=1, num_heads=2)
    classifier = DiscriminativeClassifier(backbone=backbone, schema=schema(), objectives=objectives())
    book = Losses()
    trainer = Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        max_epochs=1,
        logger=book,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=folder,
    )
    trainer.fit(classifier, DataLoader(own, batch_size=None))
    if rank == 0:
        weights = {key: weight.detach() for key, weight in classifier.trained_state().items()}
        torch.save({"losses": book.every, "weights": weights}, folder / f"{processes}.pt")


class Losses(Book):
    """Keeps every loss by name."""

    def __init__(self) -> None:
        super().__init__()
        self.every: list[dict[str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Keep what training logs."""
        self.every.append({name: value for name, value in metrics.items() if name.startswith("train/")})


@pytest.mark.slow  # starts processes of their own
@pytest.mark.parametrize("processes", [2, 4])
def test_losses_and_weights_are_those_of_one_process(processes: int, tmp_path: Path) -> None:
    fit(0, 1, tmp_path)
    assert start(processes, fit, processes, tmp_path) == [0] * processes
    expected, found = (torch.load(tmp_path / f"{count}.pt", weights_only=True) for count in (1, processes))
    steps: list[dict[str, Any]] = [losses for losses in expected["losses"] if losses]
    assert len(steps) == 3
    for one, other in zip(steps, (losses for losses in found["losses"] if losses), strict=True):
        assert "train/structure_2" in one
        assert other == pytest.approx(one, rel=1e-4)
    for name, weight in expected["weights"].items():
        assert torch.allclose(found["weights"][name], weight, atol=1e-5), name
