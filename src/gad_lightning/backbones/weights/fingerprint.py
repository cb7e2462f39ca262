"""Which weights a checkpoint was trained on, whatever their number format."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def digest(model: nn.Module) -> str:
    """Digest names, shapes and a sample of the values of every weight, in bfloat16: any format gives the same."""
    summary = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.detach().reshape(-1)
        sample = torch.cat([flat[:512], flat[-512:]]).to(torch.bfloat16).float().cpu()
        summary.update(f"{name} {tuple(weight.shape)}".encode())
        summary.update(sample.numpy().tobytes())
    return summary.hexdigest()
