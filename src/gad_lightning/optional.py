"""Packages that only some users need: imported at use, with the command that installs them in the error."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from gad_lightning.errors import SettingError


def need(module: str, *, extra: str | None = None, why: str = "") -> ModuleType:
    """Import ``module`` or say how to get it.

    Args:
        module: dotted name, such as ``"av"``.
        extra: the extra of this package that installs it, such as ``"notebooks"``; None if it is a plain requirement.
        why: what it is needed for, such as ``"to read video files"``.

    Raises:
        SettingError: if the module is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        package = f"gad-lightning[{extra}]" if extra else error.name
        raise SettingError(
            f"The package {error.name!r} is needed {why}".rstrip() + " and is not installed.",
            f"pip install '{package}'",
        ) from error
