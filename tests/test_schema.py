"""What a model must know of its data."""

from __future__ import annotations

import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import DataSchema, LabelSet, Task, Windows, check_names, schema_of


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
