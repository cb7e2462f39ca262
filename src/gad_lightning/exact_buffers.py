"""Numbers that keep their precision when a classifier is cast to half precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn


class ExactBuffers(nn.Module):
    """A module whose own buffers are moved as torch asks, but are never held below float32."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or cast the module as torch asks."""
        exact = {name: buffer for name, buffer in self._buffers.items() if buffer is not None}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch gives it no types
        for name, buffer in exact.items():
            moved = self._buffers[name]
            if moved is not None:
                self._buffers[name] = buffer.to(moved.device, torch.promote_types(moved.dtype, torch.float32))
        return self
