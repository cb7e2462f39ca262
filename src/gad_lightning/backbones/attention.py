"""Who sees whom: the one rule of the library, and the only place that turns it into a mask.

A row of tokens has a trunk, the prompt and the frames of a stretch of video, and branches that hang off its frames. A
branch is what is asked at one frame, its anchor: an opener such as [CLS], and in training the answer after it. The
trunk never sees a branch, and branches never see one another, so one forward pass asks at every frame at once and gives
what a pass of its own over each frame's window would start from. In ``window`` mode a row is the paper's: one trunk and
one branch at its end, for which the rule is ordinary causal attention.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.types import Kind, Places

PAD, PROMPT, FRAME, BRANCH = (int(kind) for kind in (Kind.PAD, Kind.PROMPT, Kind.FRAME, Kind.BRANCH))
# plain integers: in a graph that torch traces, a tensor equals no member of an enumeration


def sees(query: Places, key: Places, window: int) -> Tensor:
    """Tell for pairs of tokens whether the first one, the query, sees the second one, the key.

    A token sees tokens of its own sample only, and none after itself. Of those it sees the whole prompt, the frames of
    its window (the last ``window`` up to its own frame, or up to its branch's anchor), and its own branch. Padding sees
    nothing and is seen by nobody.

    Args:
        query: where the tokens stand that look.
        key: where the tokens stand that may be seen; of shapes that broadcast against the query's.
        window: frames that a query looks back on, its own counted.

    Returns:
        bool, of the shape that both broadcast to.
    """
    is_prompt = key.kind == PROMPT
    is_in_window = (key.kind == FRAME) & (key.frame <= query.frame) & (key.frame > query.frame - window)
    is_own_branch = (key.kind == BRANCH) & (key.branch == query.branch)
    not_after = key.position <= query.position
    same_sample = (key.sample == query.sample) & (query.kind != PAD)
    return same_sample & not_after & (is_prompt | is_in_window | is_own_branch)


def visible(query: Places, key: Places, window: int) -> Tensor:
    """Make the mask of the rule: which keys each query sees.

    Padding is given the first key, as a softmax over nothing is not a number.

    Args:
        query: places of the tokens that look, each (R, Tq).
        key: places of the tokens that may be seen, each (R, Tk); with a cache, the earlier ones are among them.
        window: see :func:`sees`.

    Returns:
        (R, Tq, Tk) bool.
    """
    rows = Places(*(part[:, :, None] for part in query))
    columns = Places(*(part[:, None, :] for part in key))
    mask = sees(rows, columns, window)
    mask[:, :, 0] |= query.kind == PAD
    return mask


def is_plain(places: Places, window: int) -> bool:
    """Tell whether the rule is ordinary causal attention here, so that no mask is needed.

    It is if every row is one sample with padding on its right, positions count 0, 1, 2, ... and all frames fit the
    window. Call it on the CPU: it waits for the answer.
    """
    column = torch.arange(places.kind.shape[1], device=places.kind.device)
    is_padding = places.kind == PAD
    counts_up = ((places.position == column) | is_padding).all()
    one_sample = ((places.sample == places.sample[:, :1]) | is_padding).all()
    padded_on_the_right = (is_padding[:, 1:] >= is_padding[:, :-1]).all()
    return bool(counts_up & one_sample & padded_on_the_right & (places.frame < window).all())
