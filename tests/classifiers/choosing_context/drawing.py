"""Slots and contexts whose usable information is known."""

from __future__ import annotations

import math

import numpy as np

from gad_lightning.classifiers.choosing_context.information import Coded, Rows

FLIPPED = 0.2
TOLD = math.log(2) + FLIPPED * math.log(FLIPPED) + (1 - FLIPPED) * math.log(1 - FLIPPED)
"""Of a fair coin by a copy of which a fifth is turned over, in nats."""


def drawn(seed: int, videos: int = 40, moments: int = 8) -> tuple[Rows, dict[str, list[Coded]]]:
    """The label is two coins. The slot shows the first in part, and a third coin that has nothing to do with it.

    Contexts: a copy of the label; noise; the third coin, visible and uninformative; the second coin, turned over at
    times, informative and invisible.
    """
    rng = np.random.default_rng(seed)
    first, second, third, noise = rng.integers(2, size=(4, videos * moments))
    turned = np.where(rng.random(len(first)) < FLIPPED, 1 - second, second)
    seen = np.stack([2.0 * first, 4.0 * third], axis=1) - [1.0, 2.0] + rng.standard_normal((len(first), 2))
    label = 2 * first + second
    contexts = {"copy": label, "noise": noise, "visible": third, "invisible": turned}
    coded = {name: [Coded(code, int(code.max()) + 1)] for name, code in contexts.items()}
    return Rows(seen, label, np.repeat(np.arange(videos), moments)), coded
