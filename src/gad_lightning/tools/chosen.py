"""What a tool's user names: a device, a task."""

from __future__ import annotations

import torch

from gad_lightning.errors import SettingError
from gad_lightning.redact import redact
from gad_lightning.schema import DataSchema


def chosen_device(name: str) -> torch.device:
    """Device of a name; ``auto`` takes a GPU where there is one.

    Raises:
        SettingError: if there is no such device here.
    """
    usable = ["cpu"]
    usable += ["cuda"] if torch.cuda.is_available() else []
    usable += ["mps"] if torch.backends.mps.is_available() else []
    if name == "auto":
        return torch.device(usable[-1])
    if name.split(":")[0] not in usable:
        raise SettingError(
            f"device is {redact(name)!r}; here are: {', '.join(usable)}.", "set device to one of these, or auto"
        )
    return torch.device(name)


def task_index(schema: DataSchema, name: str | None) -> int:
    """Index of a task by its name, the first by default.

    Raises:
        SettingError: if there is no such task.
    """
    names = [task.name for task in schema.tasks]
    if name is not None and name not in names:
        raise SettingError(f"There is no task {name!r}; the classifier has {', '.join(names)}.", "choose one of them")
    return 0 if name is None else names.index(name)
