"""Whether data are what a classifier was trained on, where no trainer loads a checkpoint and compares them."""

from __future__ import annotations

from gad_lightning.classifiers.saving.checkpoint import TrainedWeights
from gad_lightning.classifiers.saving.classes import check_classes
from gad_lightning.classifiers.saving.differences import differences, tell_differences
from gad_lightning.parts import describe
from gad_lightning.schema import DataSchema


def check_same_classes(classifier: TrainedWeights, data: DataSchema) -> None:
    """Refuse data of other classes than those of the training, whose labels would mean something else.

    Raises:
        CheckpointError: naming the first class that differs.
    """
    check_classes(data, classifier.trained_schema)


def check_same_windows(classifier: TrainedWeights, data: DataSchema) -> None:
    """Refuse data that lay out other windows; warns if ``other_settings`` are meant.

    Raises:
        CheckpointError: naming every setting that differs, and both values.
    """
    stored, here = (describe(schema.windows) for schema in (classifier.trained_schema, data))
    tell_differences(list(differences(stored, here, "windows")), classifier.other_settings)
