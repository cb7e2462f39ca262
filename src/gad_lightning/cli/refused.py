"""What a parser refuses, in one short line: the setting, the value met, and the nearest name or what is accepted."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NoReturn

from jsonargparse import ArgumentParser
from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from gad_lightning.parts import PACKAGE
from gad_lightning.redact import HIDDEN, is_secret, redact

NEAR = 0.6
"""Likeness from which on a name is proposed; that of equal ones is 1."""
LONGEST = 60
"""Letters of a value that are shown."""
SIMPLE = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
"""Types of a value that names no class, in plain words."""
KINDS = {**SIMPLE, "list": "a list", "tuple": "a list", "dict": "a mapping", "NoneType": "null"}
NO_CLASS = re.compile(
    r"Expected a dot import path string: |module '\S+' has no attribute|No module named '(?P<module>\S+)'"
    r"|Import path does not correspond to a subclass|Not a valid subclass|Expected an instantiatable class"
)
"""How it is said that there is no class of a name, or one of another kind."""


def leave(parser: ArgumentParser, message: str) -> NoReturn:
    """Say in short what a parser refuses, without the usage of all options before it, and leave with status 2."""
    told = redact(_in_short(message, parser.get_defaults(skip_validation=True).keys()))
    sys.stderr.write(f"error: {told}\nFor all options: {parser.prog.replace(' [options]', '')} --help\n")
    raise SystemExit(2)


def _in_short(message: str, known: Iterable[str] = ()) -> str:
    r"""Say in a line what jsonargparse says in a tree of all that it tried; another message stays as it is.

    Args:
        message: of the parser.
        known: dotted names of its settings.

    Example:
        >>> _in_short("unrecognized arguments: --trainer.max_epoch_s=3", ["data", "trainer.max_epochs"])
        'trainer.max_epoch_s is no setting. Did you mean trainer.max_epochs?'
        >>> _in_short('Parser key "batch": Expected a <class \'int\'>. Got value: many')
        "batch is 'many': a whole number is accepted."
    """
    if outside := re.match(
        r"unrecognized arguments: --([\w.-]+)|Subcommand '\w+' does not accept option '(.+)'", message
    ):
        name = outside[1] or outside[2]
        known = list(known)
        first, _, inner = name.partition(".")
        parts = {setting.partition(".")[0] for setting in known}
        elsewhere = {f"{part}.{inner}" for part in parts} if inner and first not in parts else set()
        names = {*known, *elsewhere} - {name}
        return f"{name} is no setting." + _proposed(name, names)
    if unknown := re.search(r"Option '([^']+)' is not accepted", message):
        return _unknown_setting(message[: unknown.start()], unknown[1], message[unknown.end() :])
    if wrong := re.search(r"Expected a (\S[^\n]*)\. Got value: ([^\n]*)", message):
        return f"{_setting(message[: wrong.start()])} is {_shown(wrong[2])}: {_accepted(wrong[1])} is accepted."
    tried = list(re.finditer(r"Subtypes: \[(.*)\]\n", message))
    if tried:
        before, types, after = message[: tried[-1].start()], tried[-1][1], message[tried[-1].end() :]
        if "- Expected a <class 'list'>" in after:
            types = re.sub(r"list\[.*\]", "list[]", types)  # what a list holds is not what is wrong
        if types.startswith("list[]") or re.search(rf"Literal\[|<class '({'|'.join(SIMPLE)})'>", types):
            return f"{_setting(before)} is {_shown(_given(after))}: {_accepted(types)} is accepted."
    complaint = NO_CLASS.search(message)
    return message if complaint is None else _no_class(message, complaint)


def _unknown_setting(before: str, name: str, after: str) -> str:
    """Say which class has no such setting, which one may be meant, or which ones it has."""
    paths = re.findall(r"Problem with given class_path '([^']+)'", before)
    inside = re.match(r"\. Got value: Namespace\(class_path='([^']+)'", after)
    owner = inside[1] if inside else paths[-1] if paths else ""
    value = re.search(rf"'?{re.escape(name.rpartition('.')[2])}'?[:=] ?('[^']*'|[^,}})\n]+)|, val='(.*)'\)", after)
    given = "" if value is None else f" (given: {HIDDEN if is_secret(name) else _shown(value[1] or value[2])})"
    place, settings = _setting(before), _settings_of(owner)
    said = f"{place}.{name} is no setting of {owner.rpartition('.')[2]}{given}."
    near = _proposed(f"{place}.{name}", [f"{place}.{setting}" for setting in settings], len(place) + 1)
    return said + (near or (f" Its settings are {', '.join(settings)}." if settings else ""))


def _no_class(message: str, complaint: re.Match[str]) -> str:
    """Say which class is not there or of another kind, and which ones could stand there."""
    before = message[: complaint.start()]
    paths = re.findall(r"class_path '([^']+)':\s+(?:- )?$", before)
    path = re.match(r"(\S+)", message[complaint.end() :]) if complaint[0].endswith("string: ") else None
    value = paths[-1] if paths else path[1] if path else _given(message)
    setting, module = _setting(before), complaint["module"]
    if module is not None:
        return (
            f"{setting} is {_shown(value)}, and there is no module {module!r}: start the command in the folder it lies "
            "in, or install its package."
        )
    bases = re.findall(r"Subtypes: \[(?:list\[)?(?:<class ')?([\w.]+)", before.rpartition("Parser key")[2])
    names = _classes_of(bases[0] if bases else "")
    proposed = _proposed(value.rpartition(".")[2], names) or (f" Such are {', '.join(names)}." if bases else "")
    return f"{setting} is {_shown(value)}, which names no class that fits there.{proposed}"


def _setting(before: str) -> str:
    """The dotted name of what a complaint is about, by what stands before it."""
    return ".".join(re.findall(r"Parser key \"([^\"]+)\"", before))


def _given(after: str) -> str:
    """The value that was met, by what stands behind a complaint."""
    found = re.search(r"Given value: (?:NestedArg\(key='.*', val='(.*)'\)|(.*?)(?:\. Got value: .*)?\n)", f"{after}\n")
    return "" if found is None else found[1] or found[2]


def _shown(value: str) -> str:
    """A value for a message: without secrets, and not too long."""
    text = redact(value.strip().strip("'"))
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def _accepted(types: str) -> str:
    """Types as jsonargparse writes them in plain words."""
    choices = [choice for listed in re.findall(r"Literal\[(.*?)\]", types) for choice in re.findall(r"[^', ]+", listed)]
    names = re.findall(r"<class '([\w.]+)'>|\b(list|tuple|dict)\[", types)
    kinds = [(cls or kind).rpartition(".")[2] for cls, kind in names]
    words = [*choices, *(KINDS.get(kind, f"a {kind}") for kind in kinds)]
    return " or ".join(dict.fromkeys(words)) or types


def _proposed(name: str, names: Iterable[str], skipped: int = 0) -> str:
    """The nearest of some names as a question; nothing if none is near. The first letters can be left out of that."""
    found = process.extractOne(
        name[skipped:],
        {full: full[skipped:] for full in names},
        scorer=DamerauLevenshtein.normalized_similarity,
        processor=str.lower,
        score_cutoff=NEAR,
    )
    return "" if found is None else f" Did you mean {found[2]}?"


def _settings_of(path: str) -> Sequence[str]:
    """Names of all that a class and its bases are made with."""
    module, _, name = path.rpartition(".")
    cls = getattr(import_module(module), name) if module else object
    bases = [base for base in inspect.getmro(cls) if "__init__" in vars(base) and base is not object]
    found = [
        known for base in bases for known in list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
    ]
    return list(
        dict.fromkeys(known.name for known in found if known.kind not in (known.VAR_KEYWORD, known.VAR_POSITIONAL))
    )


def _classes_of(base: str) -> list[str]:
    """Public names of this library's classes of a kind; of all classes, if the kind is not known."""
    module, _, name = base.rpartition(".")
    kind = getattr(import_module(module), name) if module else object
    package = import_module(PACKAGE)
    public = [getattr(package, known) for known in package.__all__]
    classes = [cls for cls in public if inspect.isclass(cls) and not inspect.isabstract(cls)]
    return sorted(cls.__name__ for cls in classes if issubclass(cls, kind))
