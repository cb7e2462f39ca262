"""Scores become events by one path; classes that changed since are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.path import Decisions, FittedOn
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.temperature import Reliability, Temperature
from gad_lightning.decisions.thresholds import ClassCost, Thresholds
from gad_lightning.errors import CheckpointError
from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import LabelSet

THREE = LabelSet(("background", "stir", "salt"), background=0)
SHARES = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05]])
SCORES = np.log(SHARES + 1e-12)
USUAL = Thresholds([0.5, 0.6, 0.5], [0.5, 0.35, 0.2])


def test_classes_go_on_and_off_by_themselves_and_the_likeliest_one_is_shown() -> None:
    made = Decisions(THREE, 4.0, thresholds=USUAL)
    found = made(SCORES)
    assert found.on[:, 1].tolist() == [False, True, True, False, False]
    assert found.on[:, 2].tolist() == [False, False, False, True, False]
    assert found.chosen.argmax(1).tolist() == [0, 1, 1, 2, 0]
    assert [event[:3] for event in made.events(found)] == [(1, 3, 1), (3, 4, 2)]
    assert made.events(found)[0].score == pytest.approx(0.55)


def test_the_background_is_no_event_and_without_one_the_likeliest_class_is_shown() -> None:
    assert not Decisions(THREE, 4.0, thresholds=USUAL)(SCORES[:1]).on.any()
    none = Decisions(LabelSet(("rest", "stir", "salt")), 4.0, thresholds=Thresholds([0.95, 0.6, 0.5]))
    assert none(SCORES[:1]).chosen.argmax(1).tolist() == [0]


def test_events_overlap_and_break_where_the_video_does() -> None:
    made = Decisions(THREE, 4.0, thresholds=Thresholds([0.5, 0.29, 0.29]))
    found = made(SCORES)
    assert [event[:3] for event in made.events(found)] == [(1, 4, 1), (2, 4, 2)]
    breaks = np.array([True, False, True, False, False])
    assert [event[:3] for event in made.events(found, breaks)] == [(1, 2, 1), (2, 4, 1), (2, 4, 2)]


def test_without_thresholds_the_likeliest_class_is_the_label() -> None:
    found = Decisions(THREE, 4.0, Temperature(2.0))(SCORES)
    assert found.chosen.argmax(1).tolist() == SHARES.argmax(1).tolist()
    assert found.on.argmax(1).tolist() == [0, 1, 1, 2, 0]
    assert not found.on[:, 0].any()
    assert found.probabilities[0, 0] < 0.9


def test_several_labels_have_their_own_thresholds_and_0_5_by_default() -> None:
    labels = THREE._replace(multi_label=True)
    scores = np.log(np.array([[0.0, 0.55, 0.7], [0.0, 0.1, 0.21]]) + 1e-12)
    found = Decisions(labels, 4.0, thresholds=USUAL)(scores)
    assert found.chosen.tolist() == [[False, False, True], [False, False, True]]
    plain = Decisions(labels, 4.0)(scores)
    assert plain.chosen.tolist() == [[False, True, True], [True, False, False]]


def test_what_is_unknown_counts_for_no_class_and_is_an_event_of_its_own() -> None:
    made = Decisions(THREE, 4.0, thresholds=USUAL)
    found = made(SCORES, unknown=np.array([False, True, True, False, False]))
    assert found.chosen.argmax(1).tolist() == [0, 3, 3, 2, 0]
    assert [event[:3] for event in made.events(found)] == [(1, 3, 3), (3, 4, 2)]
    assert made.events(found)[0].score == pytest.approx((0.7 + 0.4) / 2)


def test_an_event_has_the_set_of_its_first_frame() -> None:
    made = Decisions(THREE, 4.0, thresholds=USUAL, sets=ConformalLabels(0.1, misfit=0.81))
    assert [event.set for event in made.events(made(SCORES))] == [(0, 1), (1, 2)]
    assert [event.set for event in Decisions(THREE, 4.0, thresholds=USUAL).events(made(SCORES))] == [(1,), (2,)]


def test_a_duration_delays_start_and_end() -> None:
    made = Decisions(THREE, 4.0, thresholds=Thresholds([0.5, 0.29, 0.9]), duration=MinimumDuration(0.5))
    assert [event[:3] for event in made.events(made(SCORES))] == [(2, 5, 1)]


def test_it_is_plain_data_and_made_again() -> None:
    stir = ClassCost("stir", 0.6, 0.35, 3, 1.0, None, 0.5, 0.9, ("salt",), 0.25)
    costs = (stir, ClassCost("salt", 0.9, 0.9, 2, 0.0, None, 0.0, 2.0))
    told = FittedOn(9, 1.5, Reliability(0.4, 0.2), Reliability(0.3, 0.1), costs)
    made = Decisions(THREE, 4.0, Temperature(2.0), USUAL, MinimumDuration(0.5), ConformalLabels(0.1, 0.8), told)
    again = rebuild(made.spec())
    assert isinstance(again, Decisions)
    assert again.labels == THREE
    assert again.fitted_on == told
    assert str(told).splitlines() == [
        "9 validation videos, 1.5 hours",
        "log loss 0.4, with the temperature 0.3; calibration error 0.2, then 0.1",
        "class  from  until  actions  recall  right while on  delay s  false alarms/h  bound",
        "stir   0.6   0.35   3        1       0.25            -        0.5             0.9",
        "salt   0.9   0.9    2        0       -               -        0               2",
        "salt: no action of it is found",
        "stir: too few actions, fitted together with salt",
    ]
    assert again.spec() == made.spec()
    assert again.events(again(SCORES)) == made.events(made(SCORES))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LabelSet(("background", "mix", "salt"), 0), "class 1 was 'stir' and is 'mix'"),
        (LabelSet(("background", "stir", "salt", "pour"), 0), "class 3 was none and is 'pour'"),
        (LabelSet(("background", "stir"), 0), "class 2 was 'salt' and is none"),
        (LabelSet(("background", "stir", "salt"), 1), "its background is another"),
    ],
)
def test_other_classes_are_refused(labels: LabelSet, message: str) -> None:
    made = Decisions(THREE, 4.0, thresholds=USUAL)
    with pytest.raises(CheckpointError, match=f"task 'action' were fitted for other classes: {message}"):
        made.check(labels, "action")
    made.check(THREE, "action")


def test_thresholds_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(CheckpointError, match="thresholds are of 2 classes, and there are 3"):
        Decisions(THREE, 4.0, thresholds=Thresholds([0.5, 0.5]))
