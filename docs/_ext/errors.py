"""The page of error messages: every error the library raises for a user, with its remedy, read out of the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docs._ext.api import ROOMS

import gad_lightning

PACKAGE = Path(gad_lightning.__file__).parent
HEADINGS = ROOMS | {"cli": "Command line", "tools": "Tools", "report": "Reports", "records": "Everywhere"}


class Raised(NamedTuple):
    """One error in the source."""

    room: str
    kind: str
    message: str
    remedy: str


def page() -> str:
    """The text of the page."""
    found = sorted(set(all_errors()))
    texts = [INTRODUCTION.format(number=len(found))]
    for room in [*HEADINGS, *sorted({error.room for error in found} - set(HEADINGS))]:
        errors = [error for error in found if error.room == room]
        if errors:
            texts.append(f"## {HEADINGS.get(room, room.capitalize())}")
            texts += [f"{escaped(e.message)}\n: *{e.kind}.* {escaped(sentence(e.remedy))}" for e in errors]
    return "\n\n".join(texts) + "\n"


def kinds() -> set[str]:
    """Names of the error classes: those that are public, and what derives from them anywhere in the package."""
    found = {"GadError"}
    classes = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for _ in range(3):  # as deep as they derive from one another
        found |= {node.name for node in classes if {getattr(base, "id", "") for base in node.bases} & found}
    return found


def all_errors() -> Iterator[Raised]:
    """Every error in the package that states its message and remedy where it is raised."""
    known = kinds()
    for path in sorted(PACKAGE.rglob("*.py")):
        first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        room = first if (PACKAGE / first).is_dir() else "records"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
                message, remedy = (text_of(argument) for argument in [*node.args, *2 * [ast.Constant("")]][:2])
                if re.search(r"[a-z]{3}", re.sub("⟨.*?⟩", "", message)):  # others hand on what a package says
                    yield Raised(room, node.func.id, message, remedy)


def text_of(node: ast.expr) -> str:
    """Text of an expression; what is put in at run time is a word in angle quotes."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body)} / {text_of(node.orelse)}"
    return f"⟨{word_of(node.value if isinstance(node, ast.FormattedValue) else node)}⟩"


def word_of(node: ast.expr) -> str:
    """What to call a value that is put into a message."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return node.id.replace("_", " ")
    if isinstance(node, ast.Attribute):
        return word_of(node.value) if node.attr.startswith("__") else node.attr.replace("_", " ")
    if isinstance(node, ast.Call):
        if node.args:
            return word_of(node.args[0])
        return word_of(node.func.value) if isinstance(node.func, ast.Attribute) else word_of(node.func)
    inner = next((part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)), None)
    return "..." if inner is None else word_of(inner)


def sentence(text: str) -> str:
    """A remedy as a sentence."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "!")) else ".")


def escaped(text: str) -> str:
    """A text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", " ".join(text.split()))


INTRODUCTION = """\
# All error messages

An error that you can put right is one message and ends with *To fix it*. Here are all {number} of them, by the part of
the library that raises them, each with its remedy. ⟨...⟩ stands for a name or a number of yours: look for the words
beside it. The most frequent ones are explained in {{doc}}`/howto/troubleshooting`.

- *MissingDataError*: a file or folder is not there.
- *DataError*: a file is there, and what it holds cannot be used.
- *SettingError*: a setting has a value that cannot work.
- *CheckpointError*: a checkpoint is damaged, or belongs to another model, head or order of classes.

- *NotFiniteError*: a loss, gradient or weight became infinite or no number in training.

In a program all of them are `gad_lightning.GadError`, with `message` and `remedy`."""
