"""The arithmetic of the layout: which token stands in which row and column, and at which position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.types import IGNORED, Kind, Places, Tokens


class Trunk(NamedTuple):
    """Prompt and frames of B samples."""

    prompt_ids: Tensor  # (B, P) int64
    prompt_lengths: Tensor  # (B,) int64
    separator: Tensor  # (s,) ids before every frame but the first
    tokens_per_frame: int
    frame_counts: Tensor  # (B,)
    begin: Tensor  # (B,) first frame laid out; -1: the prompt too
    room: int  # F of the frame tensor, whose first frame is the first one laid out

    @property
    def group(self) -> int:
        """Tokens of a frame."""
        return self.tokens_per_frame + len(self.separator)

    def end_of(self, frames: Tensor, sample: Tensor | None = None) -> Tensor:
        """Position after the first ``frames`` frames of each sample, or of the samples named."""
        lengths = self.prompt_lengths if sample is None else self.prompt_lengths[sample]
        return lengths + (frames * self.group - len(self.separator)).clamp(min=0)


class Text(NamedTuple):
    """Tokens for a branch of each of Q queries."""

    ids: Tensor  # (Q, L) int64, -1 after the end
    target: Tensor  # (Q, L) bool: the token is to be learned


class Branches(NamedTuple):
    """K branches of Q queries: first each query's branch with the slot, then those beside it, without one."""

    ids: Tensor  # (K, L), -1 after the end
    supervised: Tensor  # (K, L) bool: the token is a target
    sample: Tensor  # (K,)
    anchor: Tensor  # (K,)
    query: Tensor  # (K,)
    slot: Tensor  # (Q,) which token of each query's first branch is the slot; -1: the last visual token before it

    @property
    def read(self) -> Tensor:
        """Tokens that are laid out, (K, L) bool: all but the last of an answer, which is only written, if no slot."""
        there, column = self.ids >= 0, torch.arange(self.ids.shape[1])
        last = column == there.sum(1, keepdim=True) - 1
        laid = there & ~(last & self.supervised)
        laid[: len(self.slot)] |= column == self.slot.unsqueeze(1)
        return laid


def empty_tokens(rows: int, width: int) -> Tokens:
    """Rows of padding."""
    none = torch.full((rows, width), -1, dtype=torch.int64)
    kind = torch.full_like(none, int(Kind.PAD))
    places = Places(kind, none.clone(), none.clone(), none.clone(), torch.zeros_like(none))
    target = torch.full_like(none, IGNORED)
    return Tokens(torch.zeros_like(none), none.clone(), places, none.clone(), target, none.new_zeros(0))


def _sum_before(length: Tensor, group: Tensor) -> Tensor:
    """Sum the lengths of the earlier entries of the same group.

    Example:
        >>> _sum_before(torch.tensor([2, 3, 4]), torch.tensor([1, 0, 1]))
        tensor([0, 0, 2])
    """
    order = torch.argsort(group, stable=True)
    total, grouped = length[order].cumsum(0) - length[order], group[order]
    first = torch.ones_like(grouped, dtype=torch.bool)
    first[1:] = grouped[1:] != grouped[:-1]
    base = torch.where(first, total, 0).cummax(0).values if len(group) else total
    before = torch.empty_like(total)
    before[order] = total - base
    return before


def join(texts: Sequence[Text]) -> Text:
    """Stack texts of any lengths one below the other."""
    longest = max(ids.shape[1] for ids, _ in texts)
    ids = [torch.nn.functional.pad(ids, (0, longest - ids.shape[1]), value=-1) for ids, _ in texts]
    targets = [torch.nn.functional.pad(target, (0, longest - target.shape[1])) for _, target in texts]
    return Text(torch.cat(ids), torch.cat(targets))


def assemble(trunk: Trunk, branches: Branches) -> Tokens:
    """Lay out trunks and branches, one row a sample: the trunk, then its branches in their order."""
    rows = len(trunk.frame_counts)
    first = torch.where(trunk.begin < 0, torch.zeros_like(trunk.begin), trunk.end_of(trunk.begin.clamp(min=0)))
    length = trunk.end_of(trunk.frame_counts) - first
    branch_length = branches.read.sum(1)
    offset = length[branches.sample] + _sum_before(branch_length, branches.sample)
    totals = length.scatter_add(0, branches.sample, branch_length)
    tokens = empty_tokens(rows, max(1, int(totals.max())))
    _lay_trunk(tokens, trunk, first, length)
    slots = _lay_branches(tokens, trunk, branches, first, length, offset)
    return tokens._replace(slots=slots)


def _lay_trunk(tokens: Tokens, trunk: Trunk, first: Tensor, length: Tensor) -> None:
    """Write prompt and frames into the first columns of each row.

    Args:
        tokens: B rows, written to.
        trunk: prompt and frames.
        first: (B,) position of the first token that is laid out.
        length: (B,) tokens that are laid out; W is the largest.
    """
    column = torch.arange(int(length.max())).expand(len(length), -1)  # (B, W)
    position = first.unsqueeze(1) + column  # (B, W)
    inside = column < length.unsqueeze(1)  # (B, W)
    in_prompt = inside & (position < trunk.prompt_lengths.unsqueeze(1))  # (B, W)
    in_frame = inside & ~in_prompt  # (B, W)
    # a separator stands before every frame but the first: counted from one that would stand there, all frames are alike
    separators = len(trunk.separator)
    offset = position - trunk.prompt_lengths.unsqueeze(1) + separators  # (B, W)
    frame, within = offset // trunk.group, offset % trunk.group  # (B, W) each: the frame, and the token within it
    width = column.shape[1]
    sample = torch.arange(len(length)).unsqueeze(1).expand_as(column)  # (B, W)
    nothing = torch.full_like(position, -1)  # (B, W)

    kind = torch.where(in_prompt, int(Kind.PROMPT), torch.where(in_frame, int(Kind.FRAME), int(Kind.PAD)))  # (B, W)
    tokens.places.kind[:, :width] = kind
    tokens.places.sample[:, :width] = torch.where(inside, sample, nothing)
    tokens.places.frame[:, :width] = torch.where(in_frame, frame, nothing)
    tokens.places.position[:, :width] = torch.where(inside, position, 0)
    prompt = torch.nn.functional.pad(trunk.prompt_ids, (0, max(0, width - trunk.prompt_ids.shape[1])))  # (B, >= W)
    text = torch.where(in_prompt, prompt.gather(1, position.clamp(0, prompt.shape[1] - 1)), 0)  # (B, W)
    if separators:
        text = torch.where(in_frame & (within < separators), trunk.separator[within.clamp(max=separators - 1)], text)
    tokens.ids[:, :width] = text
    # the frame tensor is (B, room, N, D) and begins with the first frame that is laid out
    shown = (sample * trunk.room + frame - trunk.begin.clamp(min=0).unsqueeze(1)) * trunk.tokens_per_frame  # (B, W)
    visual = in_frame & (within >= separators)  # (B, W)
    tokens.visual[:, :width] = torch.where(visual, shown + within - separators, nothing)


def _lay_branches(
    tokens: Tokens, trunk: Trunk, branches: Branches, first: Tensor, length: Tensor, offset: Tensor
) -> Tensor:
    """Write openers and answers after the trunks; return the slots (Q,)."""
    branch, within = branches.read.nonzero(as_tuple=True)
    sample, anchor = branches.sample, branches.anchor
    base = trunk.end_of(anchor + 1, sample)
    where = (sample[branch], offset[branch] + within)
    owner = branches.query[branch]
    _put(tokens, where, branches.ids[branch, within], anchor[branch], branch, owner, base[branch] + within)
    last_visual = base - first[sample] - 1
    branch, within = branches.supervised.nonzero(as_tuple=True)
    before = torch.where(within > 0, offset[branch] + within - 1, last_visual[branch])
    tokens.target[sample[branch], before] = branches.ids[branch, within]
    queries = len(branches.slot)
    slot = torch.where(branches.slot >= 0, offset[:queries] + branches.slot, last_visual[:queries])
    return sample[:queries] * tokens.ids.shape[1] + slot


def lay_next(rows: int, sample: Tensor, anchor: Tensor, query: Tensor, ids: Tensor, position: Tensor) -> Tokens:
    """Lay out the next tokens (n, L) of n branches that go on at ``position`` (n,); ``slots`` are their last ones."""
    length = (ids >= 0).sum(1)
    offset = _sum_before(length, sample)
    width = max(1, int((offset + length).max())) if len(sample) else 1
    tokens = empty_tokens(rows, width)
    branch, within = (ids >= 0).nonzero(as_tuple=True)
    where = (sample[branch], offset[branch] + within)
    number = query[branch]
    _put(tokens, where, ids[branch, within], anchor[branch], number, number, position[branch] + within)
    return tokens._replace(slots=sample * width + offset + length - 1)


def _put(
    tokens: Tokens,
    where: tuple[Tensor, Tensor],
    ids: Tensor,
    anchor: Tensor,
    branch: Tensor,
    query: Tensor,
    position: Tensor,
) -> None:
    """Write branch tokens at (row, column); a row is a sample."""
    tokens.ids[where] = ids
    tokens.query[where] = query
    values = (torch.full_like(ids, int(Kind.BRANCH)), where[0], anchor, branch, position)
    for place, value in zip(tokens.places, values, strict=True):
        place[where] = value
