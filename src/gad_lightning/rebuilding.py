"""Makes parts again from their descriptions, which may come from anybody: checked first, within stated limits."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from gad_lightning.environment import from_environment
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES, RENAMED_ARGUMENTS, Part, Spec, accepts, current_names, current_path
from gad_lightning.redact import HIDDEN

MOST_VALUES, DEEPEST, LONGEST = 1_000_000, 100, 1_000_000
"""A description of more values, nested deeper, or with a longer text is refused."""
LARGEST = 2**53
"""Largest whole number in a description."""
FAILURES = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    MemoryError,
)
"""What constructors raise at values of a kind that they do not expect."""


def rebuild(spec: Any, allowed: Sequence[str] = ALLOWED_PACKAGES) -> Any:
    """Make again what :func:`describe` described; a sequence comes back as a list, inside a named tuple as a tuple.

    Args:
        spec: plain data.
        allowed: packages whose classes may be imported and called.

    Raises:
        CheckpointError: if a class lies outside ``allowed`` or is not there, does not take what is described, or if the
            description is too large.
    """
    check_size(spec)
    return _rebuild(current_names(spec), allowed)


def check_size(spec: object) -> None:
    """Refuse a description that is too large to be one.

    Raises:
        CheckpointError: naming the limit.
    """
    waiting, count = [(spec, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        reason = ""
        if count > MOST_VALUES:
            reason = f"has more than {MOST_VALUES:,} values"
        elif depth > DEEPEST:
            reason = f"is nested more than {DEEPEST} deep"
        elif isinstance(value, str) and len(value) > LONGEST:
            reason = f"has a text of more than {LONGEST:,} letters"
        elif isinstance(value, int) and abs(value) > LARGEST:
            reason = f"has a number above {LARGEST:,}"
        elif value is not None and not isinstance(value, str | int | float | list | tuple | Mapping):
            reason = f"has a {type(value).__name__}, which is no plain data"
        if reason:
            raise CheckpointError(f"The checkpoint's description {reason}.", "use another checkpoint")
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
        waiting += [(part, depth + 1) for part in parts]


def _rebuild(spec: Any, allowed: Sequence[str]) -> Any:
    if isinstance(spec, Mapping) and set(spec) == {"class_path", "init_args"}:
        cls, values = _read_spec(spec, allowed)
        _check_arguments(cls, values, complete=True)
        return _make(cls, **values)
    if isinstance(spec, Mapping) and set(spec) == {"factory"}:
        return factory(spec["factory"], allowed)
    if isinstance(spec, Mapping):
        return {key: _rebuild(value, allowed) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_rebuild(item, allowed) for item in spec]
    if isinstance(spec, str):
        try:
            return from_environment(spec, "The checkpoint")
        except SettingError as error:
            raise CheckpointError(error.message, error.remedy) from error
    return spec


def factory(spec: Spec, allowed: Sequence[str] = ALLOWED_PACKAGES) -> Callable[..., Any]:
    """Make a factory of the described class: called with the supplied arguments, it makes the part.

    Raises:
        CheckpointError: as :func:`rebuild`.
    """
    cls, values = _read_spec(spec, allowed)
    _check_arguments(cls, values, complete=False)
    return functools.partial(_make, cls, **values)


def path_and_arguments(spec: object) -> tuple[str, Mapping[str, Any]]:
    """What a description of a part says.

    Raises:
        CheckpointError: if it is none.
    """
    path, arguments = (spec.get("class_path"), spec.get("init_args")) if isinstance(spec, Mapping) else (None, None)
    if (
        not isinstance(path, str)
        or not isinstance(arguments, Mapping)
        or not all(isinstance(n, str) for n in arguments)
    ):
        raise CheckpointError(
            f"The checkpoint describes a part by {str(spec)[:80]!r}, without class and arguments.",
            "use another checkpoint",
        )
    return path, arguments


def _read_spec(spec: object, allowed: Sequence[str]) -> tuple[type, dict[str, Any]]:
    """Class and arguments of a description; secrets, which are not stored, are left out."""
    path, arguments = path_and_arguments(spec)
    cls = find_class(path, allowed)
    kept = {name: value for name, value in arguments.items() if value != HIDDEN}
    values = {name: _rebuild(value, allowed) for name, value in kept.items()}
    if hasattr(cls, "_fields"):
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return cls, values


def _check_arguments(cls: type, values: Mapping[str, Any], complete: bool) -> None:
    """Refuse arguments that a class does not take, and the lack of those it needs.

    Args:
        cls: a part or a named tuple.
        values: by name.
        complete: whether no others will be supplied.

    Raises:
        CheckpointError: naming the first.
    """
    made_by = cls.__new__ if hasattr(cls, "_fields") else cls.__init__  # type: ignore[misc]  # the class is given
    parameters = list(inspect.signature(made_by).parameters.values())[1:]
    known = {parameter.name for parameter in parameters}
    for name in values:
        if name not in known and not (issubclass(cls, Part) and accepts(cls, RENAMED_ARGUMENTS.get(name, name))):
            raise _unknown_argument(cls, name)
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    for parameter in parameters if complete else ():
        needed = parameter.default is parameter.empty and parameter.kind not in variable
        if needed and parameter.name not in {RENAMED_ARGUMENTS.get(name, name) for name in values} | set(values):
            raise CheckpointError(
                f"The checkpoint does not say what {parameter.name!r} of {cls.__name__} is.",
                "use another checkpoint, or make the classifier from its config.yaml if it is a secret",
            )


def _unknown_argument(cls: type, name: str) -> CheckpointError:
    """The error for an argument that a class does not take."""
    return CheckpointError(
        f"The checkpoint gives {cls.__name__} the argument {name!r}, which this version does not have.",
        "upgrade gad-lightning: it was probably saved by a later version",
    )


def _make(cls: type, /, *supplied: Any, **values: Any) -> Any:
    """Make an instance.

    Raises:
        CheckpointError: if the class does not take the values.
    """
    try:
        return cls(*supplied, **values)
    except FAILURES as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown is not None and unknown[1] in values:
            raise _unknown_argument(cls, unknown[1]) from error
        raise CheckpointError(
            f"The checkpoint's description of {cls.__name__} cannot be used: {error}.", "use another checkpoint"
        ) from error


def check_packages(settings: object, allowed: Sequence[str], source: str, name: str = "") -> None:
    """Refuse settings that name a class of a package that is not allowed, before anything of it is imported.

    A parser imports what any text names in the place of a class, so every text that could name one counts.

    Args:
        settings: plain data.
        allowed: packages.
        source: what holds the settings.
        name: that they stand under.

    Raises:
        SettingError: naming the first.
    """
    if isinstance(settings, Mapping):
        for key, part in settings.items():
            check_packages(part, allowed, source, str(key))
    elif isinstance(settings, list):
        for part in settings:
            check_packages(part, allowed, source, name)
    elif isinstance(settings, str) and re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", settings):
        package = settings.partition(".")[0]
        if package not in allowed and (name == "class_path" or find_spec(package) is not None):
            raise SettingError(
                f"{source} names {settings}, and only {', '.join(allowed)} may be imported: importing runs code.",
                f"if you trust it, pass --allowed=[{package}]",
            )


def find_class(path: str, allowed: Sequence[str] = ALLOWED_PACKAGES) -> type:
    """Import the class at a dotted path.

    Raises:
        CheckpointError: if it lies outside ``allowed``, is missing, or is neither a part nor a named tuple.
    """
    path = current_path(path)
    module, _, name = path.rpartition(".")
    package = module.split(".")[0]
    if package not in allowed:
        others = ",".join([*(name for name in allowed if name not in ALLOWED_PACKAGES), package])
        raise CheckpointError(
            f"The checkpoint names {path}, and only classes of {', '.join(allowed)} are allowed: importing runs code.",
            f"if you trust it, pass allowed=[..., {package!r}], or --allowed=[{others}] on the command line",
        )
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise CheckpointError(
            f"The checkpoint names {path}, and {module} cannot be imported: {error}.",
            f"install the package {package!r}",
        ) from error
    if not isinstance(found, type) or not (issubclass(found, Part) or hasattr(found, "_fields")):
        raise CheckpointError(
            f"The checkpoint names {path}, which is no part.", "install the version it was saved with"
        )
    return found
