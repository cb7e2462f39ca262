"""The plan of the house: floors and rooms of the package, out of the test that holds them and of their docstrings."""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

import gad_lightning

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(gad_lightning.__file__).parent


def page() -> str:
    """The text of the page."""
    floors = read_floors()
    pictured = "\n".join(floor(number, rooms) for number, rooms in reversed(list(enumerate(floors))))
    sections = []
    for number, rooms in reversed(list(enumerate(floors))):
        for room in sorted(rooms - {"__init__", "__main__"}):
            if (PACKAGE / room).is_dir():
                sections.append(
                    f"## {room}\n\nFloor {number}. {first_line(PACKAGE / room / '__init__.py')}\n\n{files(room)}"
                )
    ground = [
        f"| `{room}` | {first_line(PACKAGE / f'{room}.py')} |"
        for room in sorted(floors[0])
        if (PACKAGE / f"{room}.py").is_file()
    ]
    sections.append("## The ground floor\n\n" + "\n".join(["| file | what it is for |", "| --- | --- |", *ground]))
    return "\n\n".join([INTRODUCTION, f'<div class="house">\n{pictured}\n</div>', *sections]) + "\n"


def read_floors() -> list[set[str]]:
    """The floors as the test of the walls has them, the ground floor first."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FLOORS":
            floors: list[set[str]] = ast.literal_eval(node.value)
            return floors
    raise LookupError("tests/test_architecture.py has no FLOORS")


def floor(number: int, rooms: set[str]) -> str:
    """One floor of the picture."""
    named = "".join(f"<span>{escape(room)}</span>" for room in sorted(rooms - {"__init__", "__main__"}))
    return f"<div><b>{number}</b>{named}</div>" if named else ""


def first_line(path: Path) -> str:
    """First paragraph of a file's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", r"\|")


def files(room: str) -> str:
    """A table of the files of a room."""
    rows = [
        f"| `{'/'.join(path.relative_to(PACKAGE / room).parts)}` | {first_line(path)} |"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.name != "__init__.py"
    ]
    return "\n".join(["| file | what it is for |", "| --- | --- |", *rows])


INTRODUCTION = """\
# Plan of the house

For whoever changes the library. Every folder of `gad_lightning` is a room, and every room stands on a floor. **Code
may import from floors below, never from above or from a neighbor on the same floor.** The files of the ground floor may
import each other. A test (`tests/test_architecture.py`) holds these walls; the picture is drawn from it."""
