"""One step of live streams as a function: the newest frames and what the streams keep, to scores and what they keep."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gad_lightning.backbones.execution.blocks import dense_mask
from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import SettingError
from gad_lightning.exporting.pieces import Pieces, check_exportable
from gad_lightning.streaming.streams import ChunkStreams
from gad_lightning.types import Kind, Places


def check_live(classifier: Classifier) -> None:
    """Refuse a classifier without a step.

    Raises:
        SettingError: for the reasons of :func:`check_exportable`, and in ``window`` mode.
    """
    check_exportable(classifier)
    windows = classifier.schema.windows
    if windows.mode != "one_pass":
        raise SettingError(
            "This classifier was trained in window mode, which reads the whole window again for every frame: there "
            "is no step to export.",
            f"export whole windows, and keep the last {windows.short + windows.long} frames of each stream",
        )


class LiveStep(Pieces):
    """What :class:`ChunkStreams` does to one frame of each stream, without state and for any number of streams.

    A stream keeps a ring of keys and values for every chunk that a frame can belong to, and the visual vectors that its
    slot is told of. Which ring a frame goes to, where a chunk begins and what is seen all follow from the frame's
    number, so zeros and number 0 begin a stream, and nothing else has to be known at the seams of chunks. The prompt is
    part of the program.

    Args:
        classifier: trained in ``one_pass`` mode; its LoRA is merged.
        task: index into the schema's tasks.

    Raises:
        SettingError: for the reasons of :func:`check_live`, or if layers keep keys of other shapes than values or
            other layers.
    """

    prompt: Tensor

    def __init__(self, classifier: Classifier, task: int = 0) -> None:
        check_live(classifier)
        super().__init__(classifier, task)
        streams = ChunkStreams(classifier, 1, task)
        self.chunk, self.per_stream = streams.chunk, streams.per_stream
        read = [(streams.cache.keys[layer], streams.cache.values[layer]) for layer in sorted(streams.cache.keys)]
        self.layers = {layer: index for index, layer in enumerate(sorted(streams.cache.keys))}
        shapes = {tuple(part.shape[1:]) for pair in read for part in pair}
        if len(shapes) != 1:
            raise SettingError(
                f"The layers of this {type(self.decoder).__name__} keep keys and values of {len(shapes)} shapes, which "
                "one tensor cannot hold.",
                "export whole windows",
            )
        kept = torch.stack([torch.stack([part[0, :, : streams.prompt_room] for part in pair]) for pair in read])
        self.register_buffer("prompt", kept.clone())  # (L, 2, heads, P, width); outside of inference mode
        self.group = classifier.prompt.group

    def empty(self, streams: int) -> dict[str, Tensor]:
        """What new streams keep, by name: each (S, ...), all zeros."""
        layers, _, heads, _, width = self.prompt.shape
        rings = self.prompt.new_zeros(streams, self.per_stream, layers, 2, heads, self.window * self.group, width)
        if not self.reach:
            return {"rings": rings}
        kind = next(self.connector.parameters())
        return {"rings": rings, "recent": kind.new_zeros(streams, self.reach, self.before.shape[1])}

    def forward(self, frames: Tensor, frame: Tensor, rings: Tensor, recent: Tensor | None = None) -> tuple[Tensor, ...]:
        """Label the newest frame of each of S streams.

        Args:
            frames: (S, N, D) as features are.
            frame: (S,) int64, number of the frame in its stream; 0 begins it.
            rings: (S, chunks, layers, 2, heads, ring, width) keys and values that the step before gave.
            recent: (S, K, H) visual vectors that it gave, if the slot is told any.

        Returns:
            Log-probabilities (S, C), then what the next step is given: rings, and recent if there is any.
        """
        size = frames.shape[0]
        now = frame // self.chunk
        place = torch.arange(self.per_stream, device=frames.device)
        chunk = now.unsqueeze(1) + (place - now.unsqueeze(1)) % self.per_stream  # (S, chunks) that each ring is of
        first = (chunk * self.chunk - (self.window - 1)).clamp(min=0)
        local = (frame.unsqueeze(1) - first).flatten()  # (R,) number of the frame in its chunk; below 0: not yet begun
        visual = self.visual(frames)
        after = self.after.expand(size, -1, -1)
        if recent is not None:
            recent = torch.cat([recent[:, 1:], visual.mean(1).unsqueeze(1).to(recent.dtype)], 1)
            after = self.opener(self._told(recent, frame))
        inputs = torch.cat([self.between.expand(size, -1, -1), visual.to(self.before.dtype), after], 1)
        inputs = inputs.unsqueeze(1).expand(-1, self.per_stream, -1, -1).flatten(0, 1)  # (R, T, H)
        query, key = self._places(local)
        cache = _Rings(rings.flatten(0, 1), self.prompt, self.layers, local % self.window, self.group)
        states = self.decoder(
            inputs_embeds=inputs,
            attention_mask=dense_mask(query, key, self.window),
            position_ids=query.position,
            past_key_values=cache,
            use_cache=False,
        ).last_hidden_state
        at_slots = states[:, -1].unflatten(0, (size, self.per_stream))
        asked = (place == now.unsqueeze(1) % self.per_stream).unsqueeze(2)
        scores = self.scores(torch.where(asked, at_slots, 0).sum(1))
        new = cache.stacked().unflatten(0, (size, self.per_stream))
        return (scores, new) if recent is None else (scores, new, recent)

    def _told(self, recent: Tensor, frame: Tensor) -> Tensor:
        """What slots are told of the newest visual vectors, (S, K, H), the last of which are there: (S, H)."""
        count = (frame + 1).clamp(max=self.reach)
        every = torch.arange(self.reach, device=frame.device)
        order = (every + self.reach - count.unsqueeze(1)).clamp(max=self.reach - 1)  # the oldest one first
        ordered = recent.gather(1, order.unsqueeze(2).expand(-1, -1, recent.shape[2]))
        stream = torch.arange(frame.shape[0], device=frame.device)
        return self.slot.shown(ordered, stream, count - 1, self.window)

    def _places(self, local: Tensor) -> tuple[Places, Places]:
        """Places of the new tokens, (R, T) each, and of all that rows hold: prompt, ring and opener, (R, S) each."""
        rows, where = local.shape[0], local.device
        separators, length, opener = len(self.between), self.prompt.shape[3], len(self.after)
        ring = torch.arange(self.window, device=where)
        number = local.unsqueeze(1) - (local.unsqueeze(1) - ring) % self.window  # (R, W) frame that each place holds
        column = torch.arange(self.group, device=where) - separators
        there = (number >= 0).unsqueeze(2) & ((number > 0).unsqueeze(2) | (column >= 0))  # no separator before frame 0
        held = length + number.unsqueeze(2) * self.group + column  # (R, W, G) positions
        own = length + local.unsqueeze(1) * self.group + column  # (R, G)
        asked = length + local.unsqueeze(1) * self.group + self.group - separators + torch.arange(opener, device=where)

        def places(*stretches: tuple[Kind | Tensor, Tensor | int, int, Tensor]) -> Places:
            """Stretches of tokens side by side, each of a kind, a frame, a branch and positions."""
            wide = [
                [torch.zeros_like(position) + part for part in (*parts, position)]  # (R, n) each
                for *parts, position in stretches
            ]
            kind, frame, branch, position = (torch.cat(column, 1) for column in zip(*wide, strict=True))
            return Places(kind, torch.zeros_like(kind), frame, branch, position.clamp(min=0))

        trunk = (Kind.PROMPT, -1, -1, torch.arange(length, device=where).expand(rows, -1))
        kinds = torch.where(there, int(Kind.FRAME), int(Kind.PAD)).flatten(1)
        kept = (kinds, number.repeat_interleave(self.group, 1), -1, held.flatten(1))
        branch = (Kind.BRANCH, local.unsqueeze(1), 0, asked)
        return places((Kind.FRAME, local.unsqueeze(1), -1, own), branch), places(trunk, kept, branch)


class _Rings:
    """Stands in for a model's cache: gives each layer the keys and values of prompt, ring and new tokens.

    Args:
        rings: (R, layers, 2, heads, W * G, width).
        prompt: (layers, 2, heads, P, width).
        layers: index of each of the model's layers.
        place: (R,) place of the new frame in its ring.
        group: G, tokens of a frame.
    """

    def __init__(self, rings: Tensor, prompt: Tensor, layers: Mapping[int, int], place: Tensor, group: int) -> None:
        self.rings, self.prompt, self.layers, self.group = rings, prompt, layers, group
        slots = torch.arange(rings.shape[4], device=rings.device) // group
        self.new = (slots == place.unsqueeze(1)).unsqueeze(1).unsqueeze(3)  # (R, 1, W * G, 1)
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *unused: object) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values, (R, heads, T, width) each, and return all it sees."""
        index = self.layers[layer_idx]
        repeats = self.rings.shape[4] // self.group
        shown = []
        kept = []
        for which, made in enumerate((key, value)):
            frame = made[:, :, : self.group].repeat(1, 1, repeats, 1)
            kept.append(torch.where(self.new, frame.to(self.rings.dtype), self.rings[:, index, which]))
            prompt = self.prompt[index, which].expand(made.shape[0], -1, -1, -1)
            shown.append(torch.cat([prompt, kept[-1], made[:, :, self.group :]], 2))
        self.kept[index] = (kept[0], kept[1])
        return shown[0], shown[1]

    def stacked(self) -> Tensor:
        """All rings, the new frame in them: (R, layers, 2, heads, W * G, width)."""
        return torch.stack([torch.stack(self.kept[index], 1) for index in sorted(self.kept)], 1)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Offset of the positions a model counts itself: they are given."""
        return 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """Offset of the queries a model counts itself."""
        return 0

    def get_mask_sizes(self, length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Keys that tokens see by the model's own mask, which is not used, and their offset."""
        return length, 0
