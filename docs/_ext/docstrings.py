"""Reads what docstrings and signatures say of arguments, for the tables of settings and commands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """One argument of a function or constructor."""

    name: str
    type: str
    default: str  # as it is written; empty if it must be given
    meaning: str  # Markdown


def arguments_of(function: Callable[..., Any], docstring: str | None) -> list[Argument]:
    """Arguments by name, what an ``Args:`` section says of each; ``*args`` and ``**kwargs`` are left out."""
    said = described(docstring or "")
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self" or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        default = "" if parameter.default is parameter.empty else written(parameter.default)
        found.append(Argument(parameter.name, type_name(parameter.annotation), default, said.get(parameter.name, "")))
    return found


def described(docstring: str) -> dict[str, str]:
    """Texts of the ``Args:`` section by argument, in Markdown."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(docstring), flags=re.MULTILINE | re.DOTALL)
    if section is None:
        return {}
    entries = re.findall(r"^    \*{0,2}(\w+): (.*?)(?=^    \S|\Z)", section[1], flags=re.MULTILINE | re.DOTALL)
    return {name: markdown(" ".join(text.split())) for name, text in entries}


def markdown(text: str) -> str:
    r"""Turn the roles and literals of a docstring into Markdown.

    Example:
        >>> markdown("see :class:`~gad_lightning.Batch`, ``x``, and *this*")
        'see {py:obj}`~gad_lightning.Batch`, `x`, and *this*'
    """
    text = re.sub(r":(?:class|func|meth|data|attr):`(~?)([^`]+)`", r"{py:obj}`\1\2`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def summary(docstring: str | None) -> str:
    """All of a docstring before its first section, as Markdown on one line a paragraph."""
    text = re.split(
        r"^(?:Args|Returns|Raises|Example|Source|Attributes|Yields):", inspect.cleandoc(docstring or ""), flags=re.M
    )[0]
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip() and ".. code-block" not in part]
    return markdown("\n\n".join(paragraphs))


def type_name(annotation: Any) -> str:
    """An annotation as it is written in the source, short."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


def written(value: Any) -> str:
    """A default as a config writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return value.__name__ if inspect.isclass(value) else str(value)


def table(arguments: list[Argument]) -> str:
    """A Markdown table of arguments."""
    rows = [
        f"| `{name}` | {(default and f'`{default}`') or 'needed'} | {cell(meaning)} <br>{code(kind)} |"
        for name, kind, default, meaning in arguments
    ]
    return "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows])


def code(text: str) -> str:
    """A type in a table: a bar inside it would end the cell."""
    return f"`{text}`".replace("|", r"\|") if text else ""


def cell(text: str) -> str:
    """A text in a table."""
    return text.replace("|", r"\|").replace("\n", " ")
