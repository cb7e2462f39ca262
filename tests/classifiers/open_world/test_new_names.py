"""Names of classes to add are read as those of data are."""

from __future__ import annotations

import pytest

from gad_lightning.classifiers.open_world.new_names import by_name, check_new
from gad_lightning.errors import SettingError
from tests.classifiers.making import NAMES
from tests.classifiers.open_world.test_added_classes import EXAMPLES, texted


def test_what_is_given_stands_under_names_as_data_has_them() -> None:
    assert by_name({"add \n sugar ": 1, "stir": 2}) == {"add sugar": 1, "stir": 2}
    assert by_name(None) == {}


def test_two_names_that_are_the_same_then_are_refused() -> None:
    with pytest.raises(SettingError, match=r"'add sugar' is given twice, also as 'add  sugar'\.\n.*keep one"):
        by_name({"add sugar": 1, "add  sugar": 2})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("unknown", "'unknown' is there already"),
        ("Unknown", "'Unknown' would be read as 'unknown'"),
        ("add sugar", "'add sugar' is there already"),
        ("add_sugar", "'add_sugar' would be read as 'add  sugar'"),
    ],
)
def test_a_class_that_is_there_is_refused(name: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        check_new([name], ["add  sugar", "stir"])


def test_trained_classes_that_are_read_as_one_hinder_no_new_one() -> None:
    check_new(["pour"], ["cut it", "cut_it", "Unknown"])


def test_a_class_is_added_under_the_name_that_data_has() -> None:
    classifier = texted()
    classifier.add_classes({"pour  \nit ": "stir salt"}, {"pour it": EXAMPLES["pour"]})
    assert classifier.schema.tasks[0].labels.names == (*NAMES, "pour it")
