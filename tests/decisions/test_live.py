"""Live events are those of the whole video, with restarts and saved states."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.live import LiveDecisions
from gad_lightning.decisions.observed import Floats
from gad_lightning.decisions.path import Decisions, Event
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.decisions.thresholds import Thresholds
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import ar1


def made(several: bool, seconds: float, thresholds: bool = True) -> Decisions:
    """Decisions of four classes."""
    return Decisions(
        LabelSet(("background", "a", "b", "c"), 0, multi_label=several),
        fps=4.0,
        temperature=Temperature(1.5),
        thresholds=Thresholds([0.5, 0.4, 0.5, 0.6], [0.5, 0.2, 0.3, 0.6]) if thresholds else None,
        duration=MinimumDuration(seconds),
        sets=None if several else ConformalLabels(0.1, 0.7),
    )


def scores(several: bool) -> Floats:
    """Log-probabilities of two videos of 300 frames: (2, 300, 4)."""
    logits = 3 * ar1(np.random.default_rng(0), (2, 4, 300), 0.9).transpose(0, 2, 1)
    total = np.logaddexp(0, logits) if several else np.logaddexp.reduce(logits, axis=2, keepdims=True)
    found: Floats = logits - total
    return found


@pytest.mark.parametrize("thresholds", [True, False])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("seconds", [0.0, 0.75])
def test_live_events_are_those_of_the_whole_video(several: bool, seconds: float, thresholds: bool) -> None:
    decisions = made(several, seconds, thresholds)
    live, videos = LiveDecisions(decisions, streams=2), scores(several)
    ended: list[list[Event]] = [[], []]
    alarms: list[list[tuple[int, int]]] = [[], []]
    chosen = []
    for frame in range(300):
        steps = live(videos[::-1, frame], np.array([1, 0]))
        chosen.append([step.chosen for step in steps])
        for stream, step in zip((1, 0), steps, strict=True):
            ended[stream] += step.ended
            alarms[stream] += [(event.start, event.label) for event in step.started]
    for stream, rest in enumerate(live.restart(np.array([0, 1]))):
        whole = decisions(videos[stream])
        events = decisions.events(whole)
        assert len(events) > 5
        assert sorted(ended[stream] + rest) == sorted(events)
        assert sorted(alarms[stream]) == sorted((event.start, event.label) for event in events)
        assert np.array_equal(np.stack(chosen)[:, 1 - stream], whole.chosen)


def test_unknown_frames_are_live_what_they_are_in_the_whole_video() -> None:
    decisions, video = made(False, 0.5), scores(False)[0]
    unknown = ar1(np.random.default_rng(1), (300,), 0.9) > 0.5
    live, mine = LiveDecisions(decisions, unknown=True), np.array([0])
    steps = [live(video[[frame]], mine, unknown[[frame]])[0] for frame in range(300)]
    whole = decisions(video, unknown=unknown)
    events = decisions.events(whole)
    assert {event.label for event in events} >= {1, 4}
    assert sorted([one for step in steps for one in step.ended] + live.restart(mine)[0]) == sorted(events)
    assert np.array_equal([step.chosen for step in steps], whole.chosen)


def test_a_stream_starts_anew_alone() -> None:
    decisions, video = made(False, 0.5), scores(False)[0]
    live, both, first = LiveDecisions(decisions, streams=2), np.array([0, 1]), np.array([0])
    for frame in range(40):
        live(video[[frame, frame]], both)
    live.restart(first)
    again = [live(video[[frame, frame + 40]], both)[0] for frame in range(40)]
    fresh = LiveDecisions(decisions)
    for frame, step in enumerate(again):
        other = fresh(video[[frame]], first)[0]
        assert (step.started, step.ended) == (other.started, other.ended)


def test_a_saved_state_goes_on_as_if_never_stopped() -> None:
    decisions, video, mine = made(False, 0.5), scores(False)[0], np.array([0])
    live = LiveDecisions(decisions)
    for frame in range(150):
        live(video[[frame]], mine)
    other = LiveDecisions(decisions)
    for name, part in live.state().items():
        other.state()[name][:] = part.copy()
    for frame in range(150, 300):
        one, two = live(video[[frame]], mine)[0], other(video[[frame]], mine)[0]
        assert (one.started, one.ended) == (two.started, two.ended)
        assert one.chosen.tolist() == two.chosen.tolist()
