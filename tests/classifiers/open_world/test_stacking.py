"""The constant for classes that were never trained."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.classifiers.open_world.stacking import best_offset
from gad_lightning.errors import DataError


def harmonic(trained: torch.Tensor, added: torch.Tensor, target: torch.Tensor, offset: float) -> float:
    """Of the mean accuracies of both kinds of classes, counted plainly."""
    said = torch.cat([trained, added + offset], 1).argmax(1)
    accuracy = [(said[target == label] == label).double().mean() for label in target.unique()]
    kinds = [
        [part for part, label in zip(accuracy, target.unique(), strict=True) if (label >= trained.shape[1]) == new]
        for new in (False, True)
    ]
    seen, unseen = (float(torch.stack(kind).mean()) for kind in kinds)
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def test_no_other_constant_has_a_larger_harmonic_mean() -> None:
    generator = torch.Generator().manual_seed(1)
    target = torch.randint(0, 5, (200,), generator=generator)
    logits = torch.randn(200, 5, generator=generator) + 1.5 * torch.eye(5)[target]
    trained, added = logits[:, :3] + 2, logits[:, 3:]
    chosen = harmonic(trained, added, target, best_offset(trained, added, target))
    others = [harmonic(trained, added, target, offset) for offset in torch.linspace(-6, 8, 141).tolist()]
    assert chosen >= max(others) - 1e-9
    assert chosen > harmonic(trained, added, target, 0.0) + 0.1


def test_frames_of_one_kind_alone_choose_nothing() -> None:
    with pytest.raises(DataError, match="Of 2 labeled frames 0 are of added classes"):
        best_offset(torch.zeros(2, 2), torch.zeros(2, 1), torch.tensor([0, 1]))
