"""Which weights a base has."""

from __future__ import annotations

import torch
from torch import nn

from gad_lightning.backbones.weights.fingerprint import digest


def test_equal_weights_in_other_number_formats_have_one_digest_and_others_another() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 3).bfloat16().float()
    first = digest(layer)
    assert digest(layer.bfloat16()) == first
    with torch.no_grad():
        layer.weight[0, 0] += 1
    assert digest(layer.float()) != first
