"""The command line: ``gad-lightning COMMAND``. Its help and its tools start without loading torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from io import TextIOWrapper

from gad_lightning import __version__
from gad_lightning.cli.guards import plain_errors, quiet
from gad_lightning.cli.tools import find_tools, run_tool
from gad_lightning.cli.working_folder import leave_working_folder
from gad_lightning.errors import GadError
from gad_lightning.escape import escape_lines

RUNS = {
    "fit": "train, and keep the checkpoint that is best on the validation split",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split",
    "predict": "write a checkpoint's labels, one row per frame and one per segment",
}
STOPPED = 130
"""Exit status of a program that Ctrl-C stopped."""


def main(args: Sequence[str] | None = None) -> None:
    """Run one command.

    Args:
        args: command and options; those of this process if None.

    Raises:
        GadError: if the user can put right what is wrong.
        KeyboardInterrupt: after Ctrl-C, once everything is shut down.
        SystemExit: after help, or if the options cannot be parsed.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal in cp1252 or ASCII gets a ? for a letter that it lacks
    words = sys.argv[1:] if args is None else list(args)
    command = words[0].replace("-", "_") if words and not words[0].startswith("-") else ""
    if command in RUNS or command in find_tools():
        quiet()
        with plain_errors():
            _start(command, words)
    elif words in (["--version"], ["-V"]):
        sys.stdout.write(f"gad-lightning {__version__}\n")
    elif not words or words[0] in ("-h", "--help"):
        sys.stdout.write(overview())
    else:
        sys.stderr.write(f"error: there is no command {words[0]!r}\n\n{overview()}")
        raise SystemExit(2)


def _start(command: str, words: Sequence[str]) -> None:
    """Run a command that exists."""
    if command not in RUNS:
        run_tool(command, words[1:])
        return
    from gad_lightning.cli.trainer import run_trainer

    run_trainer(words)


def overview() -> str:
    """List all commands, each with a line."""
    tools = {name.replace("_", "-"): line for name, line in find_tools().items()}
    width = max(map(len, [*RUNS, *tools]))

    def listed(commands: dict[str, str]) -> str:
        """A line a command."""
        return "\n".join(f"  {name:<{width}}  {line}" for name, line in commands.items())

    return (
        "usage: gad-lightning COMMAND [options]\n\n"
        f"Runs, each of one file (gad-lightning fit --config experiments/toy/gad.yaml):\n{listed(RUNS)}\n\n"
        f"Tools:\n{listed(tools)}\n\n"
        "`gad-lightning COMMAND --help` lists the options of a command.\n"
    )


def run() -> None:
    """Entry point of the ``gad-lightning`` script: an error a user can put right is one message, no traceback.

    Of the folder it is started in, only classes that the command or its config names are found, after those installed.
    """
    leave_working_folder(sys.argv[1:])
    try:
        main()
    except GadError as error:
        sys.exit(escape_lines(f"{type(error).__name__}: {error}"))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; finished files are whole.\n")
        sys.exit(STOPPED)


def run_beside_sdk() -> None:
    """Entry point of the ``lightning`` script: runs go to this library, what it does not know to lightning-sdk.

    Both packages install a script of this name, and the one installed last stands.
    """
    scripts = entry_points(group="console_scripts", name="lightning")
    others = [script for script in scripts if script.module.split(".")[0] != __name__.split(".")[0]]
    if sys.argv[1:2] == [] or sys.argv[1] in RUNS or not others:
        run()
    else:
        others[0].load()()
