"""Chunk streams of a fixed shape, for ``torch.compile``: every step reads all rows, idle ones as padding."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import ClassVar

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.execution.kv_cache import KVCache, as_slice
from gad_lightning.classifiers.base import Classifier
from gad_lightning.streaming.streams import ChunkStreams
from gad_lightning.types import Kind, Tokens


class CompiledStreams(ChunkStreams):
    """Reads each step by one graph, made once, whichever streams are pushed.

    Every row of the cache takes part with the tokens of a frame and an opener. Those that are not there (a stream that
    is not pushed, a chunk that is not asked) are padding and go to the last room of their row, which nobody sees. What
    a readout writes after it, as a generative classifier's does, has no fixed shape and is not compiled.

    On CUDA the graph is replayed as a CUDA graph, whose keys, values and places stay where they are.

    Args:
        classifier: gives backbone, prompt and windows.
        num_streams: S.
        task: whose prompt is read.
    """

    backend: ClassVar[str | Callable[..., object]] = "inductor"

    def __init__(self, classifier: Classifier, num_streams: int, task: int) -> None:
        super().__init__(classifier, num_streams, task)
        self.num_streams = num_streams
        self.width = classifier.prompt.group + self.opened
        for part in [*self.cache.places, *self.cache.keys.values(), *self.cache.values.values()]:
            torch._dynamo.mark_static_address(part)  # a CUDA graph may write to what never moves
        mode = "reduce-overhead" if classifier.device.type == "cuda" and self.backend == "inductor" else None
        # torch keeps few graphs for a function: a copy of its own gives every detector one
        own = FunctionType(_forward.__code__.replace(), _forward.__globals__)
        self.graph = torch.compile(own, fullgraph=True, dynamic=False, backend=self.backend, mode=mode)

    def read(
        self, tokens: Tokens, at: Tensor, row: Tensor, frames: Tensor, stream: Tensor, told: Tensor | None = None
    ) -> Tensor:
        """Read the tokens of one step among padding; see :meth:`ChunkStreams.read`."""
        rows, room = self.cache.places.kind.shape
        width, per_frame = tokens.ids.shape[1], frames.shape[1]
        every = torch.full((rows, self.width), room - 1)
        every[row, :width] = torch.where(tokens.places.kind != Kind.PAD, at, room - 1)
        shown = frames.new_zeros(self.num_streams, 1, *frames.shape[1:])
        pushed = torch.zeros(len(frames), dtype=torch.int64).scatter(0, stream, row // self.per_stream)
        neighbours = as_slice(pushed)
        shown[pushed if neighbours is None else neighbours, 0] = frames
        first = (row // self.per_stream * per_frame).unsqueeze(1)
        moved = torch.where(tokens.visual >= 0, first + tokens.visual % per_frame, -1)
        wide = _spread(tokens._replace(visual=moved), row, rows, self.width)
        slots = row[tokens.slots // width] * self.width + tokens.slots % width
        placed = wide._replace(slots=slots).to(shown.device)
        placed = placed if told is None else placed.showing(told)
        none = placed.slots[:0]  # their number is no fixed shape
        self.cache.choose(None)
        states = self.graph(
            self.classifier.backbone, placed._replace(slots=none), shown, self.cache, every.to(shown.device)
        )
        self.cache.choose(row)
        return placed.at_slots(states)  # a copy: the next step writes over states


def _forward(backbone: Backbone, tokens: Tokens, frames: Tensor, cache: KVCache, at: Tensor) -> Tensor:
    """Read tokens into a cache; see :meth:`Backbone.forward`."""
    states: Tensor = backbone(tokens, frames, cache, at)
    return states


def _spread(tokens: Tokens, row: Tensor, rows: int, width: int) -> Tokens:
    """Put r rows of tokens among padding.

    Args:
        tokens: r rows of at most ``width`` tokens.
        row: (r,) where each goes.
        rows: rows of the result.
        width: tokens of a row of the result.

    Returns:
        Tokens without slots.
    """
    wide, here = Tokens.empty(rows, width), (row, slice(tokens.ids.shape[1]))
    for part, new in zip(
        (wide.ids, wide.visual, *wide.places), (tokens.ids, tokens.visual, *tokens.places), strict=True
    ):
        part[here] = new
    return wide
