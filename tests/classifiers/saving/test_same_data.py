"""Data of other classes or windows than in training are refused."""

from __future__ import annotations

import pytest

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.saving.same_data import check_same_classes, check_same_windows
from gad_lightning.errors import CheckpointError
from gad_lightning.schema import LabelSet
from tests.classifiers.making import make


def test_another_class_at_the_same_place_is_named() -> None:
    classifier = make(DiscriminativeClassifier)
    task = classifier.schema.tasks[0]
    names = ("other", *task.labels.names[1:])
    data = classifier.schema._replace(tasks=(task._replace(labels=LabelSet(names, task.labels.background)),))
    check_same_classes(classifier, classifier.schema)
    with pytest.raises(
        CheckpointError, match=f"Class 0 is '{task.labels.names[0]}' in the checkpoint and 'other' here"
    ):
        check_same_classes(classifier, data)


def test_other_windows_are_named_and_can_be_meant() -> None:
    classifier = make(DiscriminativeClassifier)
    windows = classifier.schema.windows
    data = classifier.schema._replace(windows=windows._replace(short=windows.short + 1))
    check_same_windows(classifier, classifier.schema)
    with pytest.raises(CheckpointError, match=r"windows\.short is \d+ in the checkpoint and \d+ here"):
        check_same_windows(classifier, data)
    classifier.other_settings = True
    with pytest.warns(UserWarning, match=r"windows\.short"):
        check_same_windows(classifier, data)
