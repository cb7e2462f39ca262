"""Parts under the names of earlier versions."""

from __future__ import annotations

from typing import Any

import pytest

from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.heads.linear import LinearHead
from gad_lightning.parts import check_given, checked_part, current_names, describe
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.rebuilding import find_class

OLD = "gad_lightning.classifiers.gad.GADClassifier"


@pytest.mark.parametrize(
    ("given", "kind", "arguments"),
    [
        ({"warmup": 0.2}, GADClassifier, {"warmup": 0.2}),
        ({"order": "discriminative_first", "warmup": 0.2}, GADClassifier, {"warmup": 0.2}),
        (
            {"order": "parallel", "answered_share": 0.5},
            OrderedGADClassifier,
            {"order": "parallel", "answer_fraction": 0.5},
        ),
        ({"order": "generative_first"}, OrderedGADClassifier, {"order": "generative_first"}),
    ],
)
@pytest.mark.parametrize("path", [OLD, "gad_lightning.GADClassifier"])
def test_gad_with_an_order_is_the_ablation_of_today(
    path: str, given: dict[str, Any], kind: type, arguments: dict[str, Any]
) -> None:
    found = current_names({"class_path": path, "init_args": given})
    assert find_class(found["class_path"]) is kind
    assert found["init_args"] == arguments


def test_somebody_else_s_order_is_left_alone() -> None:
    theirs = {"class_path": "mine.GADClassifier", "init_args": {"order": "parallel"}}
    assert current_names(theirs) == theirs


def test_a_part_is_described_with_its_arguments_and_nothing_else_is() -> None:
    described = describe({"context": PreviousActions(2)})
    path = "gad_lightning.PreviousActions"
    assert described == {"context": {"class_path": path, "init_args": {"num_actions": 2, "with_label": True}}}
    made = NextActions()
    made.arguments["num_actions"] = object()
    with pytest.raises(SettingError, match=r"NextActions\(num_actions=...\) was given <object object.*\n.*unrecorded"):
        made.spec()


def test_what_a_factory_makes_is_checked_by_the_name_of_the_setting() -> None:
    with pytest.raises(SettingError, match=r"model.head gave a int, which is no gad_lightning.LinearHead"):
        checked_part(3, LinearHead, "model.head")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("PreviousActions", r"context must be an instance of PreviousActions, and is the str 'PreviousActions'\."),
        (NextActions(), r"context must be .*, and is the NextActions .*\n.*give an instance of PreviousActions"),
        (PreviousActions, r"context must be .*\n.*call the class: context=PreviousActions\(\.\.\.\)"),
        (None, "context must be .*, and is the NoneType None"),
    ],
)
def test_an_argument_of_another_kind_is_refused_by_its_name(value: object, message: str) -> None:
    check_given("context", PreviousActions(), PreviousActions)
    with pytest.raises(SettingError, match=message):
        check_given("context", value, PreviousActions)


def test_an_argument_may_be_of_a_second_kind() -> None:
    check_given("context", None, PreviousActions, type(None))
