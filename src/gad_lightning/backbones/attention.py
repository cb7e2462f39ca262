"""Who sees whom (ARCHITECTURE, section 2): the only place that turns the rule into a mask."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.types import Kind, Places


def visible(query: Places, key: Places, window: int) -> Tensor:
    """Tell which keys each query token sees.

    A token sees, within its sample and not after itself: the prompt, the frame tokens of the last ``window`` frames up
    to its own frame (a branch stands at its anchor frame), and its own branch. Padding is seen by nobody; it is given
    the first key, because a softmax over nothing is not a number.

    Args:
        query: places of the asking tokens, each (R, Tq).
        key: places of the tokens that may be seen, each (R, Tk); earlier ones of a cache included.
        window: frames that a query looks back on, itself counted.

    Returns:
        (R, Tq, Tk) bool.
    """
    kind, frame, branch = query.kind[:, :, None], query.frame[:, :, None], query.branch[:, :, None]
    key_kind, key_frame, key_branch = key.kind[:, None], key.frame[:, None], key.branch[:, None]
    prompt = key_kind == Kind.PROMPT
    in_window = (key_kind == Kind.FRAME) & (key_frame <= frame) & (key_frame > frame - window)
    own_branch = (key_kind == Kind.BRANCH) & (key_branch == branch)
    earlier = key.position[:, None] <= query.position[:, :, None]
    same = (key.sample[:, None] == query.sample[:, :, None]) & (kind != Kind.PAD)
    seen = same & earlier & (prompt | in_window | own_branch)
    seen[:, :, 0] |= query.kind == Kind.PAD
    return seen


def is_plain(places: Places, window: int) -> bool:
    """Tell whether the rule equals ordinary causal attention, so that no mask is needed.

    That holds if every row is one sample whose positions run 0..n-1 with padding on the right and whose frames all fit
    the window. Call it on the CPU: it waits for the answer.
    """
    column = torch.arange(places.kind.shape[1], device=places.kind.device)
    padding = places.kind == Kind.PAD
    counts_up = ((places.position == column) | padding).all()
    one_sample = ((places.sample == places.sample[:, :1]) | padding).all()
    right = (padding[:, 1:] >= padding[:, :-1]).all()
    return bool(counts_up & one_sample & right & (places.frame < window).all())
