"""Who sees whom: the only place that turns the rule into a mask."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.types import Kind, Places

PAD, PROMPT, FRAME, BRANCH = (int(kind) for kind in (Kind.PAD, Kind.PROMPT, Kind.FRAME, Kind.BRANCH))
# plain integers: in a graph that torch traces, a tensor equals no member of an enumeration


def sees(query: Places, key: Places, window: int) -> Tensor:
    """Tell elementwise, for places that broadcast against one another, whether a query token sees a key.

    A token sees, within its sample and not after itself: the prompt, the frame tokens of the last ``window`` frames up
    to its own frame (a branch stands at its anchor frame), and its own branch. Padding is seen by nobody and sees
    nothing.

    Args:
        query: places of the asking tokens.
        key: places of the tokens that may be seen.
        window: frames that a query looks back on, itself counted.
    """
    prompt = key.kind == PROMPT
    in_window = (key.kind == FRAME) & (key.frame <= query.frame) & (key.frame > query.frame - window)
    own_branch = (key.kind == BRANCH) & (key.branch == query.branch)
    earlier = key.position <= query.position
    same = (key.sample == query.sample) & (query.kind != PAD)
    return same & earlier & (prompt | in_window | own_branch)


def visible(query: Places, key: Places, window: int) -> Tensor:
    """Tell which keys each query token sees; padding is given the first key: a softmax over nothing is not a number.

    Args:
        query: places of the asking tokens, each (R, Tq).
        key: places of the tokens that may be seen, each (R, Tk); earlier ones of a cache included.
        window: see :func:`sees`.

    Returns:
        (R, Tq, Tk) bool.
    """
    seen = sees(Places(*(part[:, :, None] for part in query)), Places(*(part[:, None] for part in key)), window)
    seen[:, :, 0] |= query.kind == PAD
    return seen


def is_plain(places: Places, window: int) -> bool:
    """Tell whether the rule equals ordinary causal attention, so that no mask is needed.

    That holds if every row is one sample whose positions run 0..n-1 with padding on the right and whose frames all fit
    the window. Call it on the CPU: it waits for the answer.
    """
    column = torch.arange(places.kind.shape[1], device=places.kind.device)
    padding = places.kind == PAD
    counts_up = ((places.position == column) | padding).all()
    one_sample = ((places.sample == places.sample[:, :1]) | padding).all()
    right = (padding[:, 1:] >= padding[:, :-1]).all()
    return bool(counts_up & one_sample & right & (places.frame < window).all())
