"""How configs are read: YAML with ``${oc.env:...}``, and names of earlier versions under those of today."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any

from jsonargparse import get_loader, set_loader
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from yaml import CollectionNode, Node, SafeDumper, SafeLoader, YAMLError, compose

from gad_lightning.cli.working_folder import WorkingFolder
from gad_lightning.environment import note
from gad_lightning.errors import SettingError
from gad_lightning.parts import current_names

PARSER_MODE = "gad_lightning"
"""Name by which parsers ask for :func:`load`."""
MOST_LETTERS, MOST_VALUES, DEEPEST = 10_000_000, 100_000, 100
"""A config that is longer, or stands for more values, is not read; one of fewer brackets cannot be nested too deep."""
REMEDY = "write the values out, or keep long lists in files of their own"


_as_written: ContextVar[bool] = ContextVar("as_written", default=False)


@contextmanager
def as_written() -> Iterator[None]:
    """Put nothing in place of ``${...}`` inside the block: parsers read parts of a config again while they write it."""
    token = _as_written.set(True)
    try:
        yield
    finally:
        _as_written.reset(token)


def load(text: str) -> Any:
    """Read a config, or one value of the command line.

    Raises:
        SettingError: if it names a variable of the environment that is not set, or a value that is not there, or if it
            stands for too many values.
    """
    value = load_text(text)
    _name_classes(text)
    if isinstance(value, dict | list) and "${" in text and not _as_written.get():
        try:
            resolved = OmegaConf.to_object(OmegaConf.create(value))
        except (OmegaConfBaseException, GrammarParseError) as error:
            unset = re.search(r"Environment variable '(\w+)' not found", str(error))
            if unset is not None:
                raise SettingError(
                    f"The config names the environment variable {unset[1]}, which is not set.", f"export {unset[1]}=..."
                ) from error
            raise SettingError(
                f"The config has a ${{...}} that stands for nothing: {str(error).splitlines()[0]}.", "correct it"
            ) from error
        note(value, resolved)
        value = resolved
    return current_names(value)


def load_text(text: str) -> Any:
    """Read a config as it is written: nothing of the environment is put in place.

    Raises:
        SettingError: if it stands for too many values.
        ValueError: if it is no YAML.
    """
    if text == "None":  # jsonargparse writes null so where it hands a value on
        return None
    _check_size(text)
    try:
        return get_loader("yaml")(text)
    except YAMLError as error:
        raise ValueError(str(error)) from error


def _check_size(text: str) -> None:
    """Refuse a text of YAML that is nested too deep, or stands for too many values by references to itself.

    Raises:
        SettingError: if it is.
    """
    if len(text) > MOST_LETTERS:
        raise SettingError(f"The config has {len(text):,} letters; {MOST_LETTERS:,} are read at most.", REMEDY)
    if "*" not in text and text.count("[") + text.count("{") + text.count(": ") < DEEPEST:
        return
    try:
        size = _size_of(compose(text, Loader=SafeLoader), {})
    except YAMLError:
        return  # the reader says what is wrong
    except RecursionError:
        size = math.inf
    if size > MOST_VALUES:
        raise SettingError(f"The config stands for more than {MOST_VALUES:,} values, or is nested too deep.", REMEDY)


def _size_of(node: Node | None, known: dict[int, float]) -> float:
    """Values of a tree with every reference written out; infinite if it refers to itself."""
    if not isinstance(node, CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf  # while its parts are counted
        parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_size_of(part, known) for part in parts)
    return known[id(node)]


set_loader(PARSER_MODE, load, (ValueError,))
# parsers write configs down, and some defaults of Lightning's callbacks are members of enumerations
SafeDumper.add_multi_representer(Enum, lambda dumper, member: dumper.represent_data(member.value))


def _name_classes(text: str) -> None:
    """Take what a config names for packages that the user names, where a command looks in its working folder."""
    for finder in sys.meta_path:
        if isinstance(finder, WorkingFolder):
            finder.name(text)
