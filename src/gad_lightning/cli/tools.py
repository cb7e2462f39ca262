"""Finds the tools: every file below ``tools`` with a ``main`` is a command, and nothing else lists them."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parent.parent / "tools"


def find_tools() -> dict[str, str]:
    """Names of the tools, each with the first line of its file, in alphabetical order; nothing is imported.

    Example:
        >>> "__init__" in find_tools()
        False
    """
    found = {}
    for path in sorted(FOLDER.rglob("*.py"), key=lambda path: path.stem):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").split("\n")[0].rstrip(".")
    return found


def tool_module(name: str) -> ModuleType:
    """Import a tool.

    Args:
        name: one of :func:`find_tools`; no two files have one name.
    """
    path = next(FOLDER.rglob(f"{name}.py")).relative_to(FOLDER).with_suffix("")
    return import_module(".".join(("gad_lightning.tools", *path.parts)))


def run_tool(name: str, args: Sequence[str]) -> None:
    """Run a tool's ``main``: its arguments without a default are positional, the others are options.

    Args:
        name: one of :func:`find_tools`.
        args: what stands after the name; see :func:`_gathered`.
    """
    from jsonargparse import auto_cli

    from gad_lightning.cli.loading import PARSER_MODE
    from gad_lightning.cli.tool_parser import ToolParser

    main = tool_module(name).main
    # configs of runs are read as runs read them: with ${oc.env:...}
    prog = f"gad-lightning {name.replace('_', '-')}"
    words = _of_a_run(main, _gathered(main, args))
    auto_cli(main, args=words, prog=prog, parser_mode=PARSER_MODE, parser_class=ToolParser)


def _of_a_run(main: Callable[..., None], words: Sequence[str]) -> list[str]:
    """Take ``--config`` for ``--run`` where a tool has that option: it names a run by its config, as ``fit`` does.

    Example:
        >>> def main(run: str | None = None) -> None: ...
        >>> _of_a_run(main, ["--config", "a.yaml", "--config=b.yaml", "--configs=c"])
        ['--run', 'a.yaml', '--run=b.yaml', '--configs=c']
    """
    run = inspect.signature(main).parameters.get("run")
    if run is None or run.default is run.empty:
        return list(words)
    return [f"--run{word.removeprefix('--config')}" if word.split("=")[0] == "--config" else word for word in words]


def _gathered(main: Callable[..., None], words: Sequence[str]) -> list[str]:
    """Make the words before the first option one list, if the first argument of a tool is a required list.

    Example:
        >>> def main(files: list[str], number: int = 1) -> None: ...
        >>> _gathered(main, ["a.yaml", "b.yaml", "--number=2"])
        ['["a.yaml", "b.yaml"]', '--number=2']
    """
    first = next(iter(inspect.signature(main).parameters.values()), None)
    length = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    if not length or first is None or first.default is not first.empty or "list[" not in str(first.annotation):
        return list(words)
    return [json.dumps(list(words[:length])), *words[length:]]
