"""A checkpoint whose classifier was changed without training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gad_lightning.classifiers.saving.checkpoint import TrainedWeights, read_checkpoint
from gad_lightning.errors import SettingError
from gad_lightning.training.checkpoint_files import WholeCheckpointIO


def target_of(source: Path, target: Path) -> Path:
    """The file to write.

    Raises:
        SettingError: if it is the one that is read.
    """
    if target.resolve() == source.resolve():
        raise SettingError(f"{target} is the checkpoint that was read, and it is kept.", "choose another output")
    return target


def write_changed(
    classifier: TrainedWeights, source: Path, target: Path, more: Mapping[str, float] | None = None
) -> None:
    """Write a checkpoint again, with what its classifier is now; what else it holds stays as it was.

    Args:
        classifier: made of ``source``, then changed.
        source: a checkpoint.
        target: to write, another file.
        more: what the checkpoint says beside; a run that is trained from it does not keep it.

    Raises:
        SettingError: if it is the same file.
        CheckpointError: if it cannot be written.
    """
    target_of(source, target)
    content = read_checkpoint(source)
    content.pop("state_dict", None)
    content.update(more or {})
    classifier.cpu().on_save_checkpoint(content)
    WholeCheckpointIO().save_checkpoint(content, target)
