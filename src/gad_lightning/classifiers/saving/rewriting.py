"""A checkpoint whose classifier was changed without training."""

from __future__ import annotations

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


def write_changed(classifier: TrainedWeights, source: Path, target: Path) -> None:
    """Write a checkpoint again, with what its classifier is now; what else it holds stays as it was.

    Args:
        classifier: made of ``source``, then changed.
        source: a checkpoint.
        target: to write, another file.

    Raises:
        SettingError: if it is the same file.
        CheckpointError: if it cannot be written.
    """
    target_of(source, target)
    content = read_checkpoint(source)
    content.pop("state_dict", None)
    classifier.cpu().on_save_checkpoint(content)
    WholeCheckpointIO().save_checkpoint(content, target)
