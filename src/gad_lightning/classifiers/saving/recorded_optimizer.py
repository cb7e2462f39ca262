"""Optimizers as a checkpoint tells them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gad_lightning.errors import CheckpointError

Description = Mapping[str, Any]
"""Of an optimizer, as plain data: its class_path, its init_args, and how many groups of weights it had."""


class RecordedOptimizer:
    """Makes the optimizer that a checkpoint describes, for a loaded classifier that is trained on.

    Its class is imported when training begins, not before.

    Args:
        described: of :func:`describe_optimizer`.
        allowed: packages, beside torch and this library's, whose classes the checkpoint may name.

    Raises:
        CheckpointError: if it is no description.
    """

    def __init__(self, described: Description, allowed: Sequence[str]) -> None:
        if not isinstance(described, Mapping) or not {"class_path", "groups"} <= set(described):
            raise CheckpointError(
                "The checkpoint's optimizer is not described by class and groups.", "use another checkpoint"
            )
        self.described = described
        self.allowed = ("torch", *allowed)

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Make it.

        Raises:
            CheckpointError: if its package is not allowed or not installed, or it had several groups of weights.
        """
        path, groups = str(self.described["class_path"]), self.described["groups"]
        module, _, name = path.rpartition(".")
        remedy = "give optimizer=... to train on with another one"
        if groups != 1 or module.partition(".")[0] not in self.allowed:
            why = f"had {groups} groups of weights" if groups != 1 else f"is not of {', '.join(self.allowed)}"
            raise CheckpointError(f"The classifier was trained by {path}, which {why}.", remedy)
        try:
            kind = vars(import_module(module)).get(name)
        except ModuleNotFoundError:
            kind = None
        if not isinstance(kind, type) or not issubclass(kind, Optimizer):
            raise CheckpointError(f"The classifier was trained by {path}, and there is no such optimizer.", remedy)
        made: Optimizer = kind(parameters, **self.described["init_args"])
        return made


def describe_optimizer(optimizer: Optimizer) -> Description:
    """Describe an optimizer as plain data: its class, and the arguments that it was made with.

    Example:
        >>> import torch
        >>> describe_optimizer(torch.optim.Adadelta([torch.nn.Parameter(torch.zeros(1))], lr=0.5))["init_args"]["lr"]
        0.5
    """
    kind = type(optimizer)
    accepted = inspect.signature(kind.__init__).parameters
    values = {name: value for name, value in optimizer.defaults.items() if name in accepted}
    plain = (bool, int, float, str, tuple, type(None))
    return {
        "class_path": f"{kind.__module__}.{kind.__qualname__}",
        "init_args": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if isinstance(value, plain)
        },
        "groups": len(optimizer.param_groups),
    }
