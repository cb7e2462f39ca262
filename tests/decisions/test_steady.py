"""Labels that do not flicker."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.decisions.live import LiveDecisions
from gad_lightning.decisions.observed import Floats, Ints
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.steady import COSTS, SwitchCost, log_of, steadiness
from gad_lightning.decisions.thresholds import Thresholds
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import ar1, observed_of

KITCHEN = LabelSet(("background", "a", "b", "c"), 0)


def video(seed: int = 0, frames: int = 200) -> tuple[Floats, Ints]:
    """Noisy probabilities (F, 4) of segments of 20 frames, and the truth."""
    draw = np.random.default_rng(seed)
    truth = np.repeat(draw.integers(0, 4, frames // 20), 20)
    logits = draw.normal(size=(frames, 4)) * 1.5 + 2 * (truth[:, None] == np.arange(4))
    found: Floats = np.exp(logits - np.logaddexp.reduce(logits, 1, keepdims=True))
    return found, truth


def by_all_labelings(probabilities: Floats, cost: float) -> list[int]:
    """The label of each frame by trying every labeling of the frames until then."""
    logs, size = log_of(probabilities), probabilities.shape[1]
    found = []
    for last in range(1, len(logs) + 1):
        grids = np.meshgrid(*[range(size)] * last, indexing="ij")
        labelings = np.stack([grid.ravel() for grid in grids], 1)
        sums = logs[np.arange(last), labelings].sum(1) - cost * (np.diff(labelings, axis=1) != 0).sum(1)
        found.append(int(labelings[sums.argmax(), -1]))
    return found


def starts(lengths: list[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """True at the first frame of videos of these lengths."""
    found = np.zeros(sum(lengths), dtype=bool)
    found[np.cumsum([0, *lengths[:-1]])] = True
    return found


@pytest.mark.parametrize("cost", [0.0, 0.7, 3.0])
def test_the_label_ends_the_best_of_all_labelings(cost: float) -> None:
    probabilities = video(3)[0][15:22, :3]
    probabilities = probabilities / probabilities.sum(1, keepdims=True)
    assert SwitchCost(cost).labels(probabilities, starts([7])).tolist() == by_all_labelings(probabilities, cost)


def test_no_cost_is_the_likeliest_class_and_a_cost_makes_fewer_segments() -> None:
    probabilities = video()[0]
    labels = [SwitchCost(cost).labels(probabilities, starts([200])) for cost in (0.0, 1.0, 3.0)]
    assert np.array_equal(labels[0], probabilities.argmax(1))
    changes = [int((np.diff(each) != 0).sum()) for each in labels]
    assert changes[0] > changes[1] > changes[2] > 0


def test_every_video_begins_anew() -> None:
    (one, _), (two, _) = video(0), video(1)
    both = SwitchCost(2.0).labels(np.concatenate([one, two]), starts([200, 200]))
    apart = [SwitchCost(2.0).labels(each, starts([200])) for each in (one, two)]
    assert np.array_equal(both, np.concatenate(apart))


def test_an_open_cost_is_tried_at_several_values() -> None:
    assert [one.cost for one in SwitchCost().candidates(KITCHEN, ())] == list(COSTS)
    assert [one.cost for one in SwitchCost(0.5).candidates(KITCHEN, ())] == [0.5]


def test_what_labels_are_worth_is_counted_before_and_after() -> None:
    probabilities, truth = video(frames=400)
    seen = observed_of(probabilities, truth, labels=KITCHEN)
    steady = SwitchCost(1.5).labels(probabilities, seen.breaks)
    told = steadiness(seen, probabilities.argmax(1), steady, "a switch costs 1.5 nats")
    assert told.segment_f1 > told.segment_f1_before + 0.1
    assert told.accuracy > told.accuracy_before
    assert told.accuracy == round(float((steady == truth).mean()), 4)
    assert str(told).startswith("a switch costs 1.5 nats: segment-F1 0.")
    unknown = np.where(np.arange(400) < 40, 4, steady)
    assert steadiness(seen, steady, unknown, "").accuracy < told.accuracy, "unknown is no class"


@pytest.mark.parametrize("unknown", [False, True])
def test_live_labels_are_those_of_the_whole_video(unknown: bool) -> None:
    decisions = Decisions(KITCHEN, fps=4.0, steady=SwitchCost(1.5))
    videos = [np.log(video(seed)[0]) for seed in (0, 1)]
    hidden = ar1(np.random.default_rng(1), (2, 200), 0.9) > 0.8 if unknown else None
    live = LiveDecisions(decisions, streams=2, unknown=unknown)
    steps = []
    for frame in range(200):
        if frame == 90:  # a state taken up by another process
            state = {name: part.copy() for name, part in live.state().items()}
            live = LiveDecisions(decisions, streams=2, unknown=unknown)
            for name, part in live.state().items():
                part[:] = state[name]
        rows = np.stack([videos[1][frame], videos[0][frame]])
        steps.append(live(rows, np.array([1, 0]), None if hidden is None else hidden[::-1, frame]))
    for stream in (0, 1):
        whole = decisions(videos[stream], unknown=None if hidden is None else hidden[stream])
        assert np.array_equal([step[1 - stream].chosen for step in steps], whole.chosen)
    live.restart(np.array([0]))
    first = live(videos[0][:1], np.array([0]), None if hidden is None else hidden[:1, 0])[0]
    assert np.array_equal(first.chosen, decisions(videos[0], unknown=None if hidden is None else hidden[0]).chosen[0])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingError, match="0 nats or more, got -1"):
        SwitchCost(-1.0)
    with pytest.raises(SettingError, match="not fitted"):
        SwitchCost().labels(video()[0], starts([200]))
    with pytest.raises(SettingError, match="both say which classes are on"):
        Decisions(KITCHEN, 4.0, thresholds=Thresholds([0.5] * 4), steady=SwitchCost(1.0))
