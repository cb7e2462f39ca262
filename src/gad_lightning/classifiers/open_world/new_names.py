"""Names of classes that a trained classifier is given: read as those of data are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from gad_lightning.errors import SettingError
from gad_lightning.schema import UNKNOWN, alike, normalized

Given = TypeVar("Given")
_REMEDY = "give the new class another name"


def by_name(given: Mapping[str, Given] | None) -> dict[str, Given]:
    """What is given of each class, by its name as data has it.

    Raises:
        SettingError: if a name is empty, or two are the same then.

    Example:
        >>> by_name({" add  sugar": "pours sugar"})
        {'add sugar': 'pours sugar'}
    """
    found: dict[str, Given] = {}
    for raw, value in (given or {}).items():
        name = normalized(raw)
        if not name:
            raise SettingError("A class to add has an empty name.", "name it")
        if name in found:
            raise SettingError(f"The class {name!r} is given twice, also as {raw!r}.", "keep one of the two")
        found[name] = value
    return found


def check_new(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse classes to add that are none, there already, or read as another one.

    Args:
        names: of the classes to add, as :func:`by_name` makes them.
        known: of the classes that there are.

    Raises:
        SettingError: naming the class.
    """
    if not names:
        raise SettingError("There is no class to add.", "give texts or examples, or factors for a FactorHead")
    there = {UNKNOWN, *map(normalized, known)}
    for name in names:
        if name in there:
            raise SettingError(f"The class {name!r} is there already.", _REMEDY)
    for one, other in alike([*known, UNKNOWN, *names]):
        if other in names:
            raise SettingError(f"{other!r} would be read as {one!r}.", _REMEDY)
