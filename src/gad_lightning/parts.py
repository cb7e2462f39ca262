"""Parts that remember how they were made, so that a checkpoint rebuilds them without a config."""

from __future__ import annotations

import inspect
import warnings
from abc import ABCMeta
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from gad_lightning.environment import as_written, stored
from gad_lightning.errors import SettingError

PACKAGE = __name__.partition(".")[0]
ALLOWED_PACKAGES = (PACKAGE,)
"""Packages whose classes a checkpoint may name without the user's word."""

Spec = dict[str, Any]
Arguments = dict[str, Any]
Made = TypeVar("Made")

RENAMED = {
    "Desynchronised": "RandomLabels",
    "Goal": "GoalContext",
    "Likelihood": "LikelihoodReadout",
    "Nearest": "NearestReadout",
    "Next": "NextActions",
    "Nothing": "NoContext",
    "Previous": "PreviousActions",
    "PublishedPrevious": "PublishedPreviousAction",
    "ReleasedActions": "BenchmarkActions",
    "ReleasedVideos": "BenchmarkVideos",
    "Shuffled": "ShuffledLabels",
    "Single": "SingleTokenLabels",
    "Trie": "TrieReadout",
    "Words": "WordLabels",
    "WriteApart": "WriteParallel",
    "WriteBefore": "WriteContextFirst",
}
"""Classes of this library that had another name, in checkpoints and configs of earlier versions."""

RENAMED_ARGUMENTS = {
    "answered_share": "answer_fraction",
    "first_share": "first_fraction",
    "share": "answer_fraction",
    "standardise": "standardize",
    "val_share": "val_fraction",
    "window": "short_memory",
}
"""Constructor arguments of this library's classes that had another name."""


SPLIT = {"GADClassifier": ("order", "discriminative_first", "OrderedGADClassifier")}
"""Classes whose argument chose what another class is today: the argument, the value that stays, the other class."""


class AcceptsEarlierNames(ABCMeta):
    """Takes constructor arguments under the names of earlier versions too, with a warning."""

    def __call__(cls, *args: object, **kwargs: object) -> Any:
        """Make the instance."""
        return cls.make(*args, **{cls._current_argument(name): value for name, value in kwargs.items()})

    def make(cls, *args: object, **kwargs: object) -> Any:
        """Make the instance of arguments under the names of today."""
        return super().__call__(*args, **kwargs)

    def _current_argument(cls, name: str) -> str:
        now = RENAMED_ARGUMENTS.get(name, name)
        named = (inspect.signature(base.__init__).parameters for base in cls.__mro__[:-1])  # type: ignore[misc]  # a class
        if now == name or any(name in parameters for parameters in named):
            return name
        warnings.warn(f"{cls.__name__}({name}=...) is now {now}=...", DeprecationWarning, stacklevel=3)
        return now


class PartMeta(AcceptsEarlierNames):
    """Notes the constructor arguments of every instance, from Python and from the command line alike."""

    def make(cls, *args: object, **kwargs: object) -> Any:
        """Make the instance, keep its arguments as ``instance.arguments``, and let it complete itself."""
        instance = super().make(*args, **kwargs)
        object.__setattr__(instance, "arguments", _bound_arguments(cls, args, kwargs))
        instance.complete()
        return instance


class Part(metaclass=PartMeta):
    """Base of everything pluggable.

    ``unrecorded`` names arguments that a rebuilt part does not need; ``training_only`` those that only training or
    speed depends on, ``rounding`` those that change scores by rounding alone: weights may be used with others of them.
    ``meant_by_none`` gives the classes that None stands for.
    """

    arguments: Arguments
    unrecorded: ClassVar[tuple[str, ...]] = ()
    training_only: ClassVar[tuple[str, ...]] = ()
    rounding: ClassVar[tuple[str, ...]] = ()
    meant_by_none: ClassVar[Mapping[str, type[Part]]] = {}

    def complete(self) -> None:
        """Finish the part; called once, after the constructors of the class and of all its subclasses."""

    def spec(self, supplied: int = 0) -> Spec:
        """Describe this part as plain data: ``{"class_path": ..., "init_args": {...}}``.

        Args:
            supplied: how many leading arguments the owner gives again when it rebuilds the part (a factory's).
        """
        given = self.settings()
        kept = {name: given[name] for name in list(given)[supplied:] if name not in self.unrecorded}
        made = self.made()
        me = type(self).__name__
        told = {name: describe(value, f"{me}({name}=...)") for name, value in kept.items() if name not in made}
        described = {name: stored(value, name) for name, value in told.items()}
        # a factory left at its default is written down too, as defaults may change; a subclass may have hidden it
        described |= {
            name: {"factory": part.spec(count)} for name, (part, count) in made.items() if accepts(type(self), name)
        }
        return {"class_path": path_of(type(self)), "init_args": described}

    def settings(self) -> Arguments:
        """Arguments to record; a subclass may put what it worked out in place of what it was given."""
        return dict(self.arguments)

    def made(self) -> dict[str, tuple[Part, int]]:
        """Per argument that is a factory, a part it made and the number of leading arguments it was supplied with."""
        return {}


def _bound_arguments(cls: type, args: Sequence[object], kwargs: Mapping[str, object]) -> Arguments:
    """Name the arguments of one constructor call, defaults included, ``**kwargs`` flattened."""
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # the class is given, never an instance
    bound = signature.bind(None, *args, **kwargs)
    bound.apply_defaults()
    named = dict(list(bound.arguments.items())[1:])
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named.update(named.pop(parameter.name))
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            named.pop(parameter.name)
    return named


def accepts(cls: type, argument: str) -> bool:
    """Tell whether a constructor takes an argument of this name."""
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]  # the class is given
    return argument in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def path_of(cls: type) -> str:
    """Path that a checkpoint names a class by: this library's by their public names, so that files can move.

    Example:
        >>> from gad_lightning.schema import LabelSet
        >>> path_of(LabelSet)
        'gad_lightning.LabelSet'
    """
    path = f"{cls.__module__}.{cls.__qualname__}"
    public = current_path(path)
    return public if getattr(import_module(PACKAGE), cls.__qualname__, None) is cls else path


def current_path(path: str) -> str:
    """Today's path of a class that a checkpoint or config of any version names.

    Example:
        >>> current_path("gad_lightning.prompts.contexts.previous.Previous")
        'gad_lightning.PreviousActions'
        >>> current_path("my_package.Previous")
        'my_package.Previous'
    """
    package, _, rest = path.partition(".")
    name = rest.rpartition(".")[2]
    name = RENAMED.get(name, name)
    return f"{package}.{name}" if package == PACKAGE and name in import_module(PACKAGE).__all__ else path


def current_names(value: object) -> Any:
    """Put today's names of classes and arguments into plain data of an earlier version: a spec, or a part of a config.

    Example:
        >>> current_names({"class_path": "gad_lightning.data.toy.ToyActions", "init_args": {"window": 8}})
        {'class_path': 'gad_lightning.ToyActions', 'init_args': {'short_memory': 8}}
    """
    if isinstance(value, str):
        return current_path(value)
    if isinstance(value, list):
        return [current_names(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: current_names(item) for key, item in value.items()}
    package, _, name = str(found.get("class_path", "")).rpartition(".")
    if package.partition(".")[0] != PACKAGE or not isinstance(found.get("init_args"), Mapping):
        return found
    arguments = {RENAMED_ARGUMENTS.get(name, name): item for name, item in found["init_args"].items()}
    chooser, usual, other = SPLIT.get(name, ("", None, ""))
    if arguments.get(chooser, usual) != usual:
        found["class_path"] = f"{PACKAGE}.{other}"
    else:
        arguments.pop(chooser, None)
    return {**found, "init_args": arguments}


def describe(value: object, whose: str = "A part") -> Any:
    """Turn a constructor argument into plain data: numbers, strings, lists, dicts and nested specs.

    Args:
        value: the argument.
        whose: class and argument, for messages.

    Raises:
        SettingError: if ``value`` cannot be described.
    """
    if isinstance(value, str):
        return as_written(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Part):
        return value.spec()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = {name: describe(getattr(value, name), whose) for name in value._fields}
        return {"class_path": path_of(type(value)), "init_args": fields}
    if isinstance(value, Mapping):
        return {str(key): describe(item, whose) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [describe(item, whose) for item in value]
    if hasattr(value, "__fspath__"):
        return str(value)
    raise SettingError(
        f"{whose} was given {value!r}, which a checkpoint cannot store.",
        "derive its class from gad_lightning.Part, or name the argument in `unrecorded` of the class that takes it",
    )


def check_given(name: str, value: object, kind: type, *others: type) -> None:
    """Refuse an argument that is neither of this ``kind`` nor of one of ``others``.

    Raises:
        SettingError: naming the argument and what was given.
    """
    if isinstance(value, (kind, *others)):
        return
    shown = "".join(repr(value).splitlines()[:1])[:80]
    called = isinstance(value, type) and issubclass(value, kind)
    raise SettingError(
        f"{name} must be an instance of {kind.__name__}, and is the {type(value).__name__} {shown}.",
        f"call the class: {name}={value.__name__}(...)"
        if isinstance(value, type) and called
        else f"give an instance of {kind.__name__}, or of a class derived from it; a class's name is for configs only",
    )


def checked_part(made: object, kind: type[Made], setting: str) -> Made:
    """Return what a factory made.

    Raises:
        SettingError: if that is not of this ``kind``; ``setting`` is what the user calls the factory.
    """
    if not isinstance(made, kind):
        raise SettingError(
            f"{setting} gave a {type(made).__name__}, which is no gad_lightning.{kind.__name__}: a checkpoint could "
            "not describe it.",
            f"derive its class from gad_lightning.{kind.__name__}",
        )
    return made
