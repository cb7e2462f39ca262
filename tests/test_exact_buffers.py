"""Numbers that keep their precision."""

from __future__ import annotations

import torch

from gad_lightning.exact_buffers import ExactBuffers


def test_buffers_stay_as_exact_as_float32() -> None:
    module = ExactBuffers()
    module.register_buffer("exact", torch.tensor([1 + 2**-20]))
    module.register_buffer("wide", torch.tensor([0.1], dtype=torch.float64))
    module.to(torch.bfloat16)
    kept = dict(module.named_buffers())
    assert kept["exact"].dtype == torch.float32
    assert float(kept["exact"]) == 1 + 2**-20
    assert kept["wide"].dtype == torch.float32
