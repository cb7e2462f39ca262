"""The records that travel through the library: Batch -> Tokens -> states -> Predictions, and the Vocabulary contract.

Letters: B samples, F frames, N tokens a frame, T tokens, D feature width, H hidden width, C classes, V vocabulary,
Q queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from gad_lightning.schema import SEPARATOR, LabelSet

IGNORED = -100
"""A label or target that enters neither loss nor metrics."""
THRESHOLD = 0.5
"""Probability from which a class is said where several can be true at once."""
UNANSWERED = 1.0
"""As ``Batch.uniform`` of a query: below no fraction, so its answer is never written."""


def first_class(label: Tensor) -> Tensor:
    """Class of each query, (Q,): of multi-hot rows (Q, C) the first; IGNORED where there is none.

    Example:
        >>> first_class(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-100.0, -100.0, -100.0]])).tolist()
        [1, -100, -100]
    """
    if label.dim() == 1:
        return label
    return label.argmax(1).where((label > 0).any(1), IGNORED)


def known_class(target: Tensor, classes: int) -> Tensor:
    """Class of each query, (Q,), see :func:`first_class`; IGNORED too where it is none of ``classes`` known ones.

    Example:
        >>> known_class(torch.tensor([1, 3, -100]), 3).tolist()
        [1, -100, -100]
    """
    first = first_class(target)
    return first.masked_fill(first >= classes, IGNORED)


def chosen_classes(probabilities: Tensor, labels: LabelSet) -> Tensor:
    """Say which classes a query has: (Q, C), C at least the classes of ``labels`` -> (Q, C') bool.

    Of one label the most probable class. Of several every class with a probability of :data:`THRESHOLD` or more; the
    background, if there is one, where that leaves no class, and nothing where there is no background.

    Example:
        >>> labels = LabelSet(("rest", "walk", "talk"), background=0, multi_label=True)
        >>> chosen_classes(torch.tensor([[0.1, 0.9, 0.6], [0.2, 0.1, 0.4]]), labels).tolist()
        [[False, True, True], [True, False, False]]
    """
    own = probabilities[:, : len(labels.names)]
    if not labels.multi_label:
        return torch.zeros_like(own, dtype=torch.bool).scatter_(1, own.argmax(1, keepdim=True), True)
    chosen = own >= THRESHOLD
    for index in (labels.background, labels.ignore):
        if index is not None:
            chosen[:, index] = False
    if labels.background is not None:
        chosen[:, labels.background] = ~chosen.any(1)
    return chosen


def joined_names(chosen: Tensor, labels: LabelSet) -> str:
    """Names of the chosen classes, (C,) bool, with ``"; "`` between them; empty where there is none."""
    return SEPARATOR.join(labels.names[index] for index in chosen.nonzero().flatten().tolist())


class Batch(NamedTuple):
    """B samples (stretches of video) and the Q queries asked about them; integers only, beside the frames.

    ``frame``, ``segments`` and ``first_frame`` count in frames of the whole video at the features' fps.
    """

    frames: Tensor  # (B, F, N, D) float, zeros after the last frame of a sample
    frame_counts: Tensor  # (B,) int64, frames of each sample, 1..F
    first_frame: Tensor  # (B,) int64, the video frame that frames[:, 0] is
    goal: Tensor  # (B,) int64, index into the schema's goals, -1 if unknown
    segments: (
        Tensor  # (B, S, 3) int64, (label, start, end) of the whole video, half-open, in time order; then rows of -1
    )
    sample: Tensor  # (Q,) int64, the sample asked about
    anchor: Tensor  # (Q,) int64, frame within the sample after which the question is asked, 0..F-1
    frame: Tensor  # (Q,) int64, the same frame within the video
    horizon: Tensor  # (Q,) int64, 0 asks what happens at the anchor, h asks for the h-th segment after it
    task: Tensor  # (Q,) int64, index into the schema's tasks
    label: Tensor  # (Q,) int64 class, C for an action that is none of them, or IGNORED; or (Q, C) float multi-hot
    video: Tensor  # (Q,) int64, global number of the video
    query_index: (
        Tensor  # (Q,) int64, number of the query within its video; (video, query_index) is its key in every process
    )
    uniform: Tensor  # (Q,) float in [0, 1), random but the query's own: its answer is written if it is below a share
    remembered: Tensor | None = None  # (B, K) int64, classes of the last segments that ended before first_frame, the
    # newest last and -1 for none; None: nobody has said. Data sets leave it out.

    @classmethod
    def at_last_frames(cls, frames: Tensor, frame_counts: Tensor, task: int = 0) -> Batch:
        """One query at the last frame of each sample, whose label is unknown: frames (B, F, N, D), counts (B,)."""
        size = len(frames)
        zeros, every = torch.zeros(size, dtype=torch.int64), torch.arange(size)
        return cls(
            frames=frames,
            frame_counts=frame_counts,
            first_frame=zeros,
            goal=zeros - 1,
            segments=torch.zeros(size, 0, 3, dtype=torch.int64),
            sample=every,
            anchor=frame_counts - 1,
            frame=frame_counts - 1,
            horizon=zeros,
            task=zeros + task,
            label=torch.full_like(zeros, IGNORED),
            video=every,
            query_index=zeros,
            uniform=torch.full((size,), UNANSWERED),
        )

    @property
    def draw(self) -> Tensor:
        """Earlier name of ``uniform``."""
        return self.uniform

    def to(self, device: torch.device | str) -> Batch:
        """Move the frames only: the integers are laid out on the CPU, and no step waits for the device."""
        return self._replace(frames=self.frames.to(device, non_blocking=True))

    def asking(self, keep: Tensor) -> Batch:
        """Keep every sample but only some of the queries: ``keep`` (Q,) bool."""
        return self._replace(
            sample=self.sample[keep],
            anchor=self.anchor[keep],
            frame=self.frame[keep],
            horizon=self.horizon[keep],
            task=self.task[keep],
            label=self.label[keep],
            video=self.video[keep],
            query_index=self.query_index[keep],
            uniform=self.uniform[keep],
        )


class Kind(IntEnum):
    """What a token is, and so who sees it."""

    PAD = 0
    PROMPT = 1
    FRAME = 2  # a visual token or the separator before it
    BRANCH = 3  # opener or answer


class Places(NamedTuple):
    """Where tokens stand: all that the visibility rule needs. Each (R, T) int64."""

    kind: Tensor
    sample: Tensor  # -1 for padding
    frame: Tensor  # frame within the sample; a branch's is its anchor; -1 for the prompt
    branch: Tensor  # number of the branch, unique in the batch; -1 for the trunk
    position: Tensor  # rotary position, from 0 in every sample


class Tokens(NamedTuple):
    """R rows of T tokens, as ``Prompt.render`` lays them out; rows are padded on the right."""

    ids: Tensor  # (R, T) int64; V + i is row i of the new tokens; 0 where a frame or padding stands
    visual: Tensor  # (R, T) int64, row of frames.reshape(B * F * N, D) to be embedded here, else -1
    places: Places
    query: Tensor  # (R, T) int64, the query a branch token belongs to, else -1
    target: Tensor  # (R, T) int64, the token to be written after this one, else IGNORED
    slots: Tensor  # (Q,) int64, row * T + column of the last opener token of each query (in GAD: the [CLS])
    plain: bool = False  # whether the rule is ordinary causal attention over positions 0..n-1, padding on the right
    added: Tensor | None = None  # (R, T, H) added to the input vectors; zeros but at the slots

    @classmethod
    def empty(cls, rows: int, width: int) -> Tokens:
        """Rows of padding."""
        none = torch.full((rows, width), -1, dtype=torch.int64)
        kind = torch.full_like(none, int(Kind.PAD))
        places = Places(kind, none.clone(), none.clone(), none.clone(), torch.zeros_like(none))
        target = torch.full_like(none, IGNORED)
        return cls(torch.zeros_like(none), none.clone(), places, none.clone(), target, none.new_zeros(0))

    def to(self, device: torch.device | str) -> Tokens:
        """Move every tensor to ``device``, all in one copy: a GPU starts each copy as late as a large one."""
        if self.ids.device == torch.device(device):
            return self
        parts = [self.ids, self.visual, *self.places, self.query, self.target, self.slots]
        rooms = [part.numel() + part.numel() % 2 for part in parts]  # each begins at a multiple of 16 bytes
        joined = torch.zeros(sum(rooms), dtype=torch.int64, device=self.ids.device)
        for room, part in zip(joined.split(rooms), parts, strict=True):
            room[: part.numel()] = part.flatten()
        there = joined.to(device, non_blocking=True).split(rooms)
        moved = [room[: part.numel()].view(part.shape) for room, part in zip(there, parts, strict=True)]
        return Tokens(moved[0], moved[1], Places(*moved[2:7]), moved[7], moved[8], moved[9], self.plain)

    def showing(self, vectors: Tensor) -> Tokens:
        """Add vectors (Q, H) to the input of the slots, each of which is a token of its own."""
        rows = vectors.new_zeros(self.ids.numel(), vectors.shape[1]).index_copy(0, self.slots, vectors)
        return self._replace(added=rows.view(*self.ids.shape, -1))

    def at_slots(self, states: Tensor) -> Tensor:
        """Pick the slot states: (R, T, H) -> (Q, H)."""
        return states.reshape(-1, states.shape[-1])[self.slots]


@dataclass(frozen=True)
class Loss:
    """A loss as a sum and the count it is divided by, so that it can be averaged over processes exactly."""

    sum: Tensor  # () float
    count: Tensor  # () float

    def scaled(self, weight: float) -> Loss:
        """The same loss with another weight."""
        return replace(self, sum=weight * self.sum)


class Predictions(NamedTuple):
    """What a classifier says of Q queries."""

    video: Tensor  # (Q,) int64
    query_index: Tensor  # (Q,) int64
    task: Tensor  # (Q,) int64
    frame: Tensor  # (Q,) int64, frame of the video at the features' fps
    target: Tensor  # (Q,) int64 or (Q, C): the true label, C (of its task) for an action that is none of the classes,
    # IGNORED if nothing is said
    scores: Tensor  # (Q, C) float log-probabilities, of each class by itself where several can be true at once; -inf
    # where a readout has none and beyond a task's classes
    logits: Tensor  # (Q, C) float before the softmax (sigmoid); the scores again for a generative classifier
    slot_states: Tensor  # (Q, H) float
    rejection: Tensor | None = None  # (Q,) float, above 0 where the action is none of the classes; None: not asked

    @property
    def label(self) -> Tensor:
        """The most probable class of each query: (Q,) int64."""
        return self.scores.argmax(-1)

    @property
    def probabilities(self) -> Tensor:
        """Of every class, each by itself where several can be true at once: (Q, C) in [0, 1]."""
        return self.scores.exp()

    @property
    def unknown(self) -> Tensor:
        """Which queries show an action that is none of the classes: (Q,) bool."""
        return torch.zeros_like(self.task, dtype=torch.bool) if self.rejection is None else self.rejection > 0

    def cpu(self) -> Predictions:
        """The same on the CPU."""
        return self._replace(**{name: part.cpu() for name, part in self._asdict().items() if part is not None})

    def picked(self, rows: Tensor) -> Predictions:
        """Some of the queries: ``rows`` is their numbers, or (Q,) bool."""
        return self._replace(**{name: part[rows] for name, part in self._asdict().items() if part is not None})


class TextRow(NamedTuple):
    """What a new token means: its rows are projections of the embedding of a text."""

    text: str
    tower: str | None  # folder or hub name of a sentence encoder; None: the language model as it came
    width: int | None  # of the embeddings, where a checkpoint brings them


class Vocabulary(Protocol):
    """What prompts may know of a backbone's tokenizer and of its table of new tokens."""

    @property
    def size(self) -> int:
        """V, the tokens of the language model, new ones not counted."""

    @property
    def begin(self) -> int | None:
        """Id that opens a text, or None if the tokenizer has none."""

    @property
    def end(self) -> int:
        """Id that closes an answer."""

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``, without begin or end."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids``; new tokens give their names, special tokens nothing."""

    def new_token(self, name: str, written: bool = False, text: TextRow | None = None) -> int:
        """Id (V + i) of the new token ``name``, made at the first call; ``written`` ones can also be answered."""

    @property
    def text_width(self) -> int | None:
        """Width of these embeddings; None before they are made."""
