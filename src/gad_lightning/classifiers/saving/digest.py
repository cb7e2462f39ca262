"""One number over all that a classifier's file or folder says: a single flipped bit is found when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor

from gad_lightning.errors import CheckpointError

KEY = "digest"
"""Name under which a description holds its own digest."""


def digest_of(about: Mapping[str, object], weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over a description (without its digest) and the bytes of all weights, in the order of their names.

    Example:
        >>> first, second = (digest_of({"format": 1}, {"w": torch.tensor([x])}) for x in (1.0, 1.0000001))
        >>> first == second
        False
    """
    told = {name: value for name, value in about.items() if name != KEY}
    summary = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
    for name in sorted(weights):
        weight = weights[name].detach().cpu().contiguous()
        summary.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        summary.update(weight.reshape(-1).view(torch.uint8).numpy().data)
    return summary.hexdigest()


def check_digest(about: Mapping[str, object], weights: Mapping[str, Tensor], where: str) -> None:
    """Refuse what is not as it was written; files of earlier versions have no digest and pass.

    Raises:
        CheckpointError: naming the file or folder.
    """
    noted = about.get(KEY)
    if noted is not None and noted != digest_of(about, weights):
        raise CheckpointError(
            f"{where} is not as it was saved: its digest differs, so a weight or a setting in it has changed.",
            "fetch or save it again, or use the checkpoint before it",
        )
