"""Classifiers whose every trained weight has moved, so that no LoRA is nothing."""

from __future__ import annotations

from typing import Any

import torch

from gad_lightning.classifiers.base import Classifier

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}


def moved(classifier: Classifier) -> Classifier:
    """Move every trained weight."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in classifier.trained_state().values():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return classifier.eval()
