"""The page of commands: what the parsers of the command line take."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from docs._ext.docstrings import Argument, arguments_of, cell, code, summary

from gad_lightning.cli import RUNS, trainer
from gad_lightning.cli.tools import find_tools, tool_module

ELSEWHERE = ("help", "model", "data", "trainer")
"""Options that need no line here: every setting of model, data and trainer has a page."""
MEANINGS = {
    "config": "the file of the run; a second one overrides the first, value by value",
    "print_config": "write the whole config, all defaults included, and stop",
    "seed_everything": "seed of everything that is drawn",
    "ckpt_path": "checkpoint to resume or to score: a path, or `last` for the last one of this run",
    "verbose": "print the metrics",
    "weights_only": "Lightning's own; checkpoints are always read without running code",
}


class Built(Exception):
    """Carries the parser out of Lightning's command line before it parses anything."""


def run_parser() -> argparse.ArgumentParser:
    """The parser of ``fit``, ``validate``, ``test`` and ``predict``."""

    class OnlyBuilt(trainer.RunCLI):
        def parse_arguments(self, parser: Any, args: Any) -> None:
            raise Built(parser)

    with patch.object(trainer, "RunCLI", OnlyBuilt):
        try:
            trainer.run_trainer(["fit"])
        except Built as built:
            found: argparse.ArgumentParser = built.args[0]
            return found
    raise AssertionError("the command line was not built")


def page() -> str:
    """The text of the page."""
    tools = find_tools()
    listed = [f"| [`{name}`](#command-{name}) | {line} |" for name, line in RUNS.items()]
    listed += [f"| [`{shown(name)}`](#command-{shown(name)}) | {line} |" for name, line in tools.items()]
    texts = [INTRODUCTION, "\n".join(["| command | what it does |", "| --- | --- |", *listed])]
    parsers = next(action.choices for action in run_parser()._actions if isinstance(action, argparse._SubParsersAction))
    texts += [run_section(name, line, parsers[name]) for name, line in RUNS.items()]
    texts += [tool_section(name) for name in tools]
    return "\n\n".join(texts) + "\n"


def shown(name: str) -> str:
    """A tool's name as it is typed."""
    return name.replace("_", "-")


def run_section(name: str, line: str, parser: argparse.ArgumentParser) -> str:
    """One of Lightning's commands; its settings have a page of their own."""
    rows = []
    for action in parser._actions:
        if action.dest.split(".")[0] not in ELSEWHERE:
            meaning = MEANINGS.get(action.dest) or (action.help or "").split(" (default")[0]
            rows.append(f"| `{action.option_strings[-1]}` | {cell(meaning)} |")
    rows.append("| `--model. --data. --trainer.` | {doc}`every setting of a run <settings>` |")
    listed = "\n".join(["| option | meaning |", "| --- | --- |", *rows])
    usage = f"    gad-lightning {name} --config CONFIG [options]"
    return f"(command-{name})=\n## {name}\n\n{line.capitalize()}.\n\n{usage}\n\n{listed}"


def tool_section(name: str) -> str:
    """One of the tools."""
    main: Callable[..., None] = tool_module(name).main
    arguments = arguments_of(main, main.__doc__)
    words = [
        usage_of(known, inspect.signature(main).parameters[known.name]) for known in arguments if not known.default
    ]
    rows = [row(known) for known in [*arguments, *further(main)]]
    listed = "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows])
    title = shown(name)
    return (
        f"(command-{title})=\n## {title}\n\n{summary(main.__doc__)}\n\n"
        f"    gad-lightning {' '.join([title, *words])} [options]\n\n{listed}"
    )


def usage_of(known: Argument, parameter: inspect.Parameter) -> str:
    """How an argument that must be given is typed: by its place, or as an option."""
    name = known.name.upper()
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"--{known.name} {name}"
    return name + ("..." if "list[" in known.type else "")


def further(main: Callable[..., None]) -> list[Argument]:
    """Options that the parser finds behind ``**kwargs``."""
    from jsonargparse import ArgumentParser

    if not any(each.kind is each.VAR_KEYWORD for each in inspect.signature(main).parameters.values()):
        return []
    parser = ArgumentParser(exit_on_error=False)
    parser.add_function_arguments(main, as_positional=True)
    known = {*inspect.signature(main).parameters, "help", "config", "print_config"}
    return [
        Argument(action.dest, "", "null" if action.default is None else str(action.default), action.help or "")
        for action in parser._actions
        if action.option_strings and "." not in action.dest and action.dest not in known
    ]


def row(known: Argument) -> str:
    """One row of a table of options."""
    name = f"`--{known.name}`" if known.default else f"`{known.name.upper()}`"
    default = f"`{known.default}`" if known.default else ""
    kind = f" <br>{code(known.type)}" if known.type else ""
    return f"| {name} | {default} | {cell(known.meaning)}{kind} |"


INTRODUCTION = """\
# Command line

`gad-lightning COMMAND` and `python -m gad_lightning COMMAND` are the same. `gad-lightning COMMAND --help` lists the
options in the terminal. An option is given as `--name=value` or `--name value`. One that takes a class is followed by
the options of that class, with a dot: `--encoder=HuggingFaceEncoder --encoder.name_or_folder=FOLDER`.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | an error that the message explains |
| 2 | the command cannot be parsed |
| 75 | the run stopped to be continued, see {doc}`/howto/resume` |
| 130 | stopped by Ctrl-C |

A folder that has a class of yours in a file can be the one you start the command in: it is searched for classes."""
