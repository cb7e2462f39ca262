"""A checkpoint is read back before it is first written: what cannot be read by plain data alone is named."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pickle import PickleError

import torch
from torch import Tensor

from gad_lightning.errors import CheckpointError


def check_readable(checkpoint: Mapping[str, object]) -> None:
    """Refuse a checkpoint that is written without a word and can never be loaded.

    Args:
        checkpoint: as it would be written.

    Raises:
        CheckpointError: naming the keys that lead to the value, and its type.
    """
    for key, value in checkpoint.items():
        if not _is_readable(value):
            names, held = _inside(value)
            where = " > ".join([repr(key), *names])
            raise CheckpointError(
                f"The checkpoint would hold {held} under {where}, which is no plain data: it would be written, and "
                "never be read again.",
                _remedy(key, names),
            )


def readable_part(values: Mapping[str, object]) -> dict[str, object]:
    """What of some named values can be read again."""
    return {name: value for name, value in values.items() if _is_readable(value)}


def _remedy(key: str, names: list[str]) -> str:
    """What to do about a value."""
    if key == "callbacks" and names:
        return f"let state_dict() of the callback {names[0]} give numbers, strings, lists, dicts and tensors: float(x)"
    return f"store numbers, strings, lists, dicts and tensors under {key!r}, such as float(x) for a number of numpy"


def _is_readable(value: object) -> bool:
    """Whether torch reads a value again without running code; the numbers of tensors are left out."""
    file = io.BytesIO()
    try:
        torch.save(_emptied(value), file)
        file.seek(0)
        torch.load(file, weights_only=True)
    except (PickleError, AttributeError, TypeError, RuntimeError, ValueError):
        return False
    return True


def _emptied(value: object) -> object:
    """The same with tensors without elements in place of others."""
    if type(value) is Tensor or type(value) is torch.nn.Parameter:
        return value.new_empty(0)
    if type(value) is dict:
        return {_emptied(key): _emptied(held) for key, held in value.items()}
    if type(value) is list:
        return [_emptied(held) for held in value]
    if type(value) is tuple:
        return tuple(_emptied(held) for held in value)
    return value


def _inside(value: object) -> tuple[list[str], str]:
    """Names of the keys that lead to the first value that cannot be read, and its type in words."""
    if isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, held in items:
            if not _is_readable(held):
                names, found = _inside(held)
                return [repr(key), *names], found
    kind = type(value)
    return [], f"a {kind.__module__}.{kind.__qualname__}"
