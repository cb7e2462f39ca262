"""What a classifier was saved with and what it is used with: settings that change its scores are told apart."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gad_lightning.errors import CheckpointError
from gad_lightning.parts import Part
from gad_lightning.rebuilding import find_class


class Difference(NamedTuple):
    """A setting that is not the one that weights were trained with."""

    name: str  # dotted, such as backbone.lora.lora_alpha
    stored: object
    here: object
    rounding: bool = False  # whether it is only the number format that differs

    def __str__(self) -> str:
        """Both values."""
        return f"{self.name} is {self.stored!r} in the checkpoint and {self.here!r} here"


def differences(stored: object, here: object, name: str = "") -> Iterator[Difference]:
    """Compare two descriptions, as of :func:`gad_lightning.parts.describe`.

    What only training or speed depends on is passed over, as the parts' classes name it in ``training_only``; what
    changes scores by rounding alone is marked, as they name it in ``rounding``. An argument that a description of an
    earlier version has not is taken to be the default.

    Args:
        stored: of the checkpoint, under the names of today.
        here: of the classifier at hand.
        name: of the argument that both stand for.

    Yields:
        What differs, outermost first.
    """
    if not isinstance(stored, Mapping) or not isinstance(here, Mapping):
        if stored != here:
            yield Difference(name, _shown(stored), _shown(here))
    elif set(here) == {"factory"} == set(stored):
        yield from differences(stored["factory"], here["factory"], name)
    elif "class_path" in stored and "class_path" in here:
        if stored["class_path"] != here["class_path"]:
            yield Difference(name, stored["class_path"], here["class_path"])
        else:
            yield from _of_part(stored, here, name)
    else:
        for key in dict.fromkeys([*stored, *here]):
            yield from differences(stored.get(key), here.get(key), _join(name, key))


def _of_part(stored: Mapping[str, Any], here: Mapping[str, Any], name: str) -> Iterator[Difference]:
    """Differences of two parts of one class."""
    path = str(here["class_path"])
    kind = find_class(path, allowed=(path.partition(".")[0],))
    passed, rounding, meant = (
        (kind.training_only, kind.rounding, kind.meant_by_none) if issubclass(kind, Part) else ((), (), {})
    )
    theirs, mine = stored["init_args"], here["init_args"]
    for key in dict.fromkeys([*theirs, *mine]):
        before, now = (given[key] if key in given else _default(kind, key) for given in (theirs, mine))
        if key in meant:
            before, now = (meant[key]().spec() if value is None else value for value in (before, now))
        for found in differences(before, now, key):
            if found.name not in passed and key not in passed:
                yield found._replace(name=_join(name, found.name), rounding=found.rounding or key in rounding)


def _default(kind: type, argument: str) -> object:
    """Default of a constructor's argument, of the class or the first of its bases that has it; None for none."""
    for base in kind.__mro__:
        known = inspect.signature(base.__init__).parameters  # type: ignore[misc]  # the class is given
        if argument in known and known[argument].default is not inspect.Parameter.empty:
            default: object = known[argument].default
            return default
    return None


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _shown(value: object) -> object:
    """A value for a message: of a part its class."""
    return value["class_path"] if isinstance(value, Mapping) and "class_path" in value else value


def tell_differences(found: Sequence[Difference], meant: bool) -> None:
    """Refuse weights under other settings, or warn if those are meant or differ by rounding.

    Raises:
        CheckpointError: naming every setting and both values.
    """
    wrong = [] if meant else [difference for difference in found if not difference.rounding]
    if wrong:
        raise CheckpointError(
            f"The weights were trained with other settings: {'; '.join(map(str, wrong))}. They would compute something "
            "else.",
            "use the config.yaml beside the checkpoint; if you mean it: --other_settings=true on the command line, "
            "other_settings=True of init_from, or classifier.other_settings = True",
        )
    if found:
        warnings.warn(f"The weights were trained with other settings: {'; '.join(map(str, found))}.", stacklevel=3)
