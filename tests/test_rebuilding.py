"""Parts are made again from descriptions that may come from anybody: what does not fit is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.parts import Part, describe
from gad_lightning.rebuilding import check_packages, factory, rebuild
from gad_lightning.schema import LabelSet

LABELS = describe(LabelSet(("background", "stir"), 0))
HERE = ("gad_lightning", "tests")


class Kettle(Part):
    """A part.

    Args:
        size: above 0.
        token: to log in with.
    """

    def __init__(self, size: int, token: str | None = None) -> None:
        self.size = size + 0
        self.token = token


class Pot(Part):
    """A part that needs a secret.

    Args:
        token: to log in with.
    """

    def __init__(self, token: str) -> None:
        self.token = token


class Cup(Part):
    """A part with a text.

    Args:
        label: on it.
    """

    def __init__(self, label: str = "plain") -> None:
        self.label = label


def spec(cls: str = "Kettle", **arguments: Any) -> dict[str, Any]:
    """A description."""
    return {"class_path": f"tests.test_rebuilding.{cls}", "init_args": arguments}


def nested(depth: int) -> list[Any]:
    """A list in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("description", "told"),
    [
        (spec(size=1, new_in_later=2), "gives Kettle the argument 'new_in_later', which this version does not have"),
        (spec(), "does not say what 'size' of Kettle is"),
        (spec(size="big"), "description of Kettle cannot be used: can only concatenate str"),
        (spec(size=2**60), "has a number above"),
        (spec(size=nested(200)), "is nested more than 100 deep"),
        (spec(size=[0] * 1_000_001), "has more than 1,000,000 values"),
        (spec(size="x" * 1_000_001), "has a text of more than 1,000,000 letters"),
        (spec(size={1, 2}), "has a set, which is no plain data"),
        ({"class_path": 3, "init_args": {}}, "without class and arguments"),
        ({"class_path": "tests.test_rebuilding.Kettle", "init_args": [1]}, "without class and arguments"),
        ({"factory": 3}, "without class and arguments"),
        ({"factory": spec(new_in_later=2)}, "gives Kettle the argument 'new_in_later'"),
        ({"class_path": "tests.test_rebuilding.Nothing", "init_args": {}}, "is no part"),
        ({"class_path": "tests.nowhere.Nothing", "init_args": {}}, "cannot be imported"),
        ({"class_path": "os.path", "init_args": {}}, "only classes of gad_lightning, tests are allowed"),
        ({**LABELS, "init_args": {**LABELS["init_args"], "later": 1}}, "gives LabelSet the argument 'later'"),
        ({**LABELS, "init_args": {}}, "does not say what 'names' of LabelSet is"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(description: Any, told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        rebuild(description, HERE)


def test_a_description_inside_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(CheckpointError, match="nested more than 100 deep"):
        rebuild(spec(size=loop), HERE)


def test_a_factory_that_does_not_take_what_is_described_says_so() -> None:
    with pytest.raises(CheckpointError, match="Kettle cannot be used"):
        factory(spec(token="x"), HERE)("big")
    assert factory(spec(token="x"), HERE)(3).token == "x"


def test_a_secret_is_not_stored_and_not_needed_where_there_is_a_default() -> None:
    stored = Kettle(2, token="tea-time").spec()
    assert "tea-time" not in str(stored)
    made = rebuild(stored, HERE)
    assert (made.size, made.token) == (2, None)
    with pytest.raises(CheckpointError, match="does not say what 'token' of Pot is"):
        rebuild(Pot("tea-time").spec(), HERE)


def test_a_secret_that_was_hidden_by_its_look_is_left_out_whatever_its_name() -> None:
    stored = Cup(label="hf_AbCdEfGhIjKlMnOp").spec()
    assert stored["init_args"] == {"label": "***"}
    assert rebuild(stored, HERE).label == "plain"


def test_settings_that_name_classes_of_other_packages_are_refused_before_they_are_imported() -> None:
    settings = {"data": {"class_path": "gad_lightning.ToyActions", "init_args": {"root": "videos.csv", "x": ["a.b"]}}}
    check_packages(settings, ["gad_lightning"], "It")
    with pytest.raises(SettingError, match=r"It names antigravity\.Data, .*\n.*--allowed=\[antigravity\]"):
        check_packages({"data": [{"encoder": "antigravity.Data"}]}, ["gad_lightning"], "It")
