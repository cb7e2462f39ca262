"""Random numbers are a function of the place in a run."""

from __future__ import annotations

import random

import numpy as np
import torch

from gad_lightning.training.seeds import seed_generators


def drawn(*place: int) -> tuple[float, float, float]:
    """One number of each generator, after they were seeded."""
    seed_generators(*place)
    return float(torch.rand(())), float(np.random.rand()), random.random()


def test_the_same_place_draws_the_same_and_every_other_place_other_numbers() -> None:
    first = drawn(7, 0, 3, 0)
    random.random()
    assert drawn(7, 0, 3, 0) == first
    others = [
        drawn(8, 0, 3, 0),
        drawn(7, 1, 3, 0),
        drawn(7, 0, 4, 0),
        drawn(7, 0, 3, 1),
        drawn(70, 3, 0),
        drawn(7, 0, -1),
    ]
    assert len({first, *others}) == 7
