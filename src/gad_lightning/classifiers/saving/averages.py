"""Callbacks that average weights have all of a classifier's in their state: checkpoints hold the trained ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

LEFT_OUT = "frozen_left_out"
"""Where a checkpoint says of which callbacks' states the frozen weights were left out."""


def leave_frozen_out(checkpoint: dict[str, Any], whole: Mapping[str, Tensor], trained: Mapping[str, Tensor]) -> None:
    """Keep the trained weights only of every set of all weights in the states of callbacks.

    Args:
        checkpoint: changed in place; the callbacks' own objects are not.
        whole: all weights of the classifier.
        trained: those that checkpoints hold.
    """
    found = [place for place, state in _states(checkpoint) if state.keys() == whole.keys() != trained.keys()]
    if not found:  # as a rule: few callbacks keep weights
        return
    callbacks = checkpoint["callbacks"] = {**checkpoint["callbacks"]}
    for owner, key in found:
        state = callbacks[owner][key]
        callbacks[owner] = {**callbacks[owner], key: {name: state[name] for name in trained}}
    checkpoint[LEFT_OUT] = [list(place) for place in found]


def put_frozen_back(checkpoint: dict[str, Any], whole: Mapping[str, Tensor]) -> None:
    """Undo :func:`leave_frozen_out`, with the frozen weights at hand, before callbacks are restored."""
    left_out = checkpoint.get(LEFT_OUT)
    if not isinstance(left_out, list):
        return
    for (owner, key), state in list(_states(checkpoint)):
        if [owner, key] in left_out:
            checkpoint["callbacks"][owner][key] = {**whole, **state}


def _states(checkpoint: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Mappings that the states of callbacks hold, by callback and name."""
    callbacks = checkpoint.get("callbacks")
    for owner, state in callbacks.items() if isinstance(callbacks, Mapping) else ():
        for key, held in state.items() if isinstance(state, Mapping) else ():
            if isinstance(held, Mapping):
                yield (owner, key), held
