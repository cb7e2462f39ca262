"""Which settings of a run are not those that its checkpoint was made with, and which of them make it another run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gad_lightning.cli.loading import load_text
from gad_lightning.environment import stored
from gad_lightning.errors import DataError
from gad_lightning.parts import current_names
from gad_lightning.redact import redact
from gad_lightning.results.run_folder import CONFIG, run_folder_of

FREE = ("num_workers", "batch_size", "eval_batch_size", "predict_split", "added_classes")
"""Settings of the data that may differ where a run goes on; the samples of a step are checked when it does."""


def config_beside(checkpoint: Path, root: Path | None = None) -> Path | None:
    """The config of the run that a checkpoint belongs to; None if it has none.

    Args:
        checkpoint: its path.
        root: the run's root folder. Loggers differ in how deep in it checkpoints lie.
    """
    folder = run_folder_of(checkpoint)
    above = [parent for parent in folder.parents if root is not None and root in (parent, *parent.parents)]
    return next((path for path in (place / CONFIG for place in (folder, *above)) if path.is_file()), None)


def changed(before: Path, now: str) -> list[str]:
    """Say which values of ``model``, ``data``, ``trainer`` and the seed differ.

    Args:
        before: a kept config.
        now: another one, as YAML.

    Returns:
        Lines such as ``data.batch_size: 4 -> 8``, sorted; what is not set on one side is null.

    Raises:
        DataError: if the kept config cannot be read.
    """
    old, new = _settings_of(before), _flat(stored(load_text(now)))
    parts = ("model", "data", "trainer", "seed_everything", "init_from")
    names = sorted(name for name in {*old, *new} if name.partition(".")[0] in parts)
    return [
        redact(f"{name}: {_word(old, name)} -> {_word(new, name)}") for name in names if old.get(name) != new.get(name)
    ]


def is_other_run(difference: str) -> bool:
    """Whether a line of :func:`changed` makes two runs of one: model, data, seed, or what the weights began from.

    Example:
        >>> [is_other_run(line) for line in ("data.root: a -> b", "data.init_args.num_workers: 0 -> 2")]
        [True, False]
        >>> [is_other_run(line) for line in ("seed_everything: 0 -> 1", "trainer.max_epochs: 1 -> 2")]
        [True, False]
    """
    name = difference.partition(": ")[0]
    return not name.startswith("trainer") and name.rpartition(".")[2] not in FREE


def _settings_of(config: Path) -> dict[str, object]:
    """Values of a kept config by dotted name.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return _flat(stored(current_names(load_text(config.read_text(encoding="utf-8")))))
    except (OSError, ValueError) as error:
        raise DataError(f"{config} is no config: {error}", "remove it, or give another run's checkpoint") from error


def _word(settings: Mapping[str, object], name: str) -> str:
    """A value as YAML writes it."""
    value = settings.get(name)
    return "null" if value is None else str(value)


def _flat(settings: object, name: str = "") -> dict[str, object]:
    """Values by dotted name; a list is a value.

    Example:
        >>> _flat({"data": {"root": "videos", "windows": {"frames": 8}}})
        {'data.root': 'videos', 'data.windows.frames': 8}
    """
    if not isinstance(settings, dict) or not settings:
        return {name: settings}
    return {
        key: value
        for inner, part in settings.items()
        for key, value in _flat(part, f"{name}.{inner}" if name else str(inner)).items()
    }
