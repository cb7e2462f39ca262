"""Finds the checkpoint that ``--ckpt_path last`` means: the last of this run, never that of another one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gad_lightning.cli.changed import changed, config_beside, is_other_run
from gad_lightning.errors import DataError, SettingError
from gad_lightning.training.checkpoint_files import newest_of

Starts = dict[tuple[tuple[tuple[int, str], ...], str], list[Path]]
"""Checkpoints by the start of a run that wrote them."""
ALONE = "no config.yaml lies beside it"
"""What is said of a checkpoint of which nobody knows with which settings it was made."""


def last_of_run(settings: Mapping[str, Any], text: str, evaluate: bool = False) -> Path | None:
    """Find the last checkpoint of the run that a config describes, in the folders where such a run keeps them.

    Runs of another seed are other runs. Where a run was started several times, the latest start counts, by the number
    of its folder; there the checkpoint of most steps.

    Args:
        settings: parsed config of the command.
        text: the same as it is stored.
        evaluate: whether the checkpoint is only scored: a run that differs in its data alone then counts if there is
            none of this very config, and one of another model if ``other_settings`` is true.

    Returns:
        Its path; None if there is none.

    Raises:
        SettingError: if there are only checkpoints of the same seed and other settings, or of unknown ones.
        CheckpointError: if all are damaged.
    """
    root = Path(settings["trainer"]["default_root_dir"])
    mine: Starts = {}
    on_other_data: Starts = {}
    others: Starts = {}
    told: dict[Path, list[str]] = {}
    for path in sorted(set(_files(settings, root))):
        config = next(filter(None, (config_beside(path, folder) for folder in (root, *_folders(settings)))), None)
        other = [ALONE] if config is None else [line for line in _changed(config, text) if is_other_run(line)]
        if any(line.startswith("seed_everything") for line in other):
            continue
        meant = all(line.startswith("data.") for line in other) or config is None or settings.get("other_settings")
        group = mine if not other else on_other_data if evaluate and meant else others
        group.setdefault((_natural(path.parent if config is None else config.parent), str(path.parent)), []).append(
            path
        )
        told[path] = other
    if others and not mine and not on_other_data:
        newest = _newest(others, root)
        assert newest is not None, "there are some"
        raise SettingError(
            f"--ckpt_path=last finds no checkpoint of this run in {root}, only of one with other settings, {newest}: "
            f"{'; '.join(told[newest])}.",
            "set trainer.default_root_dir to another folder to start anew, or give --ckpt_path=PATH to go on from that "
            "checkpoint",
        )
    return _newest(mine or on_other_data, root)


def _newest(starts: Starts, root: Path) -> Path | None:
    """The last whole checkpoint of the latest start that has one."""
    return newest_of([starts[key] for key in sorted(starts, reverse=True)], str(root))


def _changed(config: Path, text: str) -> list[str]:
    """What differs from a config, if it can be read."""
    try:
        return changed(config, text)
    except DataError:
        return []


def _files(settings: Mapping[str, Any], root: Path) -> Iterator[Path]:
    """Checkpoints of all runs that may be this one."""
    if settings["trainer"]["logger"] in (None, True):
        names = (settings[part]["class_path"].rpartition(".")[2] for part in ("data", "model"))
        yield from _below(root.joinpath(*names), "**/*.ckpt")
        return
    yield from _below(root, "**/*.ckpt")
    for folder in _folders(settings):  # not searched whole: it may be the working folder
        yield from _below(folder, "*/*/checkpoints/*.ckpt")


def _folders(settings: Mapping[str, Any]) -> Iterator[Path]:
    """Where the loggers that are set keep what they are given."""
    loggers = settings["trainer"]["logger"]
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        arguments = logger.get("init_args") if isinstance(logger, Mapping) or hasattr(logger, "get") else None
        for name in ("save_dir", "root_dir", "dir"):
            folder = arguments.get(name) if arguments else None
            if folder:
                yield Path(folder)


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    """Files of a folder."""
    return (path for path in folder.glob(pattern) if path.is_file())


def _natural(path: Path) -> tuple[tuple[int, str], ...]:
    """Key by which ``version_9`` comes before ``version_10``."""
    return tuple((int(digits or -1), text) for digits, text in re.findall(r"(\d*)(\D*)", path.name))
