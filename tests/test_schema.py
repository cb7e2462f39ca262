"""What a model must know of its data."""

from __future__ import annotations

import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import DataSchema, LabelSet, Task, Windows, alike, check_names, schema_of


def test_tasks_of_equal_classes_share_a_label_set() -> None:
    actions, tools = LabelSet(("cut", "stir"), 0), LabelSet(("knife", "spoon", "jug"))
    schema = DataSchema((Task("now", actions), Task("tool", tools), Task("next", actions)))
    assert schema.label_sets == [actions, tools]
    assert schema.head_of_task == [0, 1, 0]
    assert schema.num_classes == 3


def test_a_window_counts_its_frames_after_the_strides() -> None:
    assert Windows(short=32).frames == 32
    assert Windows(short=5, long=7, short_stride=2, long_stride=4).frames == 3 + 2


def test_class_names_make_a_schema_whose_background_is_found_by_name() -> None:
    assert schema_of(["stir", "background"]).tasks[0].labels.background == 1
    assert schema_of(["stir", "pour"]).tasks[0].labels.background is None
    with pytest.raises(SettingError, match="one name, 'stir': there is nothing to choose"):
        schema_of(["stir"])


@pytest.mark.parametrize(
    ("names", "message"),
    [([], "is empty"), (["stir", " "], "number 1 .* is empty"), (["stir", "stir"], "'stir' twice")],
)
def test_names_that_mean_nothing_or_two_things_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=f"data.class_names.*{message}|{message}"):
        check_names(names, "data.class_names")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stir", "STIR"),
        ("\u0130zle", "izle"),  # Turkish capitals: the dotted I
        ("ISIR", "\u0131s\u0131r"),  # and the one without a dot
        ("stra\u00dfe", "STRASSE"),
        ("cut_it", "cut it"),
        ("cut-it", "cut \u2013 it"),
        ("_stir", "stir"),
        ("\uff53tir", "stir"),  # full width
        ("sti\u200dr", "stir"),  # a joiner
        ("salt \u2764", "salt \u2764\ufe0f"),  # the same picture in color
        ("c\u0430t", "cat"),  # a Cyrillic letter
        ("st\0ir", "stir"),
        ("don\u2019t move", "don't move"),
        ("don\u00b4t move", "don't move"),
        ("say \u201chi\u201d", 'say "hi"'),
        ("cut/mix", "cut mix"),
        ("cut / mix", "cut_mix"),
        ("cut & mix", "cut and mix"),
        ("cut&mix", "cut_and_mix"),
    ],
)
def test_names_that_a_person_takes_for_one_are_found(one: str, other: str) -> None:
    assert alike(["pour", one, other]) == [(one, other)]


@pytest.mark.parametrize(
    "names",
    [
        ("-1", "1"),
        ("_", "-"),
        ("\u017c", "z"),
        ("\u00e8", "e"),
        ("cut it", "cutit"),
        ("v1.5", "v15"),
        ("1/2", "1 2"),
        ("&", "and"),
        ("don't", "dont"),
    ],
)
def test_names_that_say_two_things_are_two(names: tuple[str, str]) -> None:
    assert alike(names) == []
