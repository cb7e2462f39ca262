"""What must not change a number: the order of frames, the names of classes, the clock, silence, the processes."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gad_lightning.metrics import DetectionDelay, ErrorDiversity, FalseAlarmsPerHour, PointF1, SegmentF1, Top1
from gad_lightning.metrics.frame_metric import LabelMetric

CLASSES, FPS = 5, 2.0
FEW = settings(max_examples=30, deadline=None, derandomize=True)


class Frames(NamedTuple):
    """Rows of an update."""

    preds: Tensor
    target: Tensor
    video: Tensor
    frame: Tensor

    def picked(self, rows: Tensor) -> Frames:
        """Some of the rows, in another order perhaps."""
        return Frames(*(column[rows] for column in self))


def joined(lines: list[list[tuple[int, int, int]]]) -> Frames:
    """Videos written as (predicted, true, how many frames)."""
    rows = [
        (found, true, number, moment)
        for number, line in enumerate(lines)
        for moment, (found, true) in enumerate([(found, true) for found, true, many in line for _ in range(many)])
    ]
    return Frames(*torch.tensor(rows, dtype=torch.int64).reshape(-1, 4).unbind(1))


LABEL = st.integers(0, CLASSES - 1)
LINES = st.lists(st.lists(st.tuples(LABEL, LABEL, st.integers(1, 6)), min_size=1, max_size=8), min_size=1, max_size=4)
FRAMES = LINES.map(joined)


def metrics(background: int | None = 0, ignore_index: int | None = None) -> dict[str, LabelMetric]:
    """One of every kind, fresh."""
    labels = {"background": background, "ignore_index": ignore_index}
    made: dict[str, LabelMetric] = {
        f"segments {average}": SegmentF1(CLASSES, overlap=0.3, average=average, **labels)
        for average in ("micro", "macro", "macro_all")
    }
    for reference in ("start", "middle", "true_middle"):
        made[reference] = PointF1(CLASSES, 0.75, fps=FPS, reference=reference, **labels)
    made |= {"accuracy": Top1(CLASSES, **labels), "delay": DetectionDelay(CLASSES, fps=FPS, **labels)}
    made |= {"alarms": FalseAlarmsPerHour(CLASSES, fps=FPS, **labels)}
    return made | {"errors": ErrorDiversity(CLASSES), "few errors": ErrorDiversity(CLASSES, at_errors=3)}


def values(made: dict[str, LabelMetric], batches: list[Frames]) -> dict[str, float]:
    """What the metrics say of the batches; nan as None, which equals itself."""
    found = {}
    for name, metric in made.items():
        for batch in batches:
            metric.update(*batch)
        value = float(metric.compute())
        found[name] = None if math.isnan(value) else value
    return found


def loops() -> ModuleType:
    """The plain Python loops of the benchmark."""
    path = Path(__file__).resolve().parents[2] / "experiments" / "bench" / "metrics.py"
    spec = importlib.util.spec_from_file_location("bench_metrics", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCH = loops()


@FEW
@given(FRAMES, st.floats(0.05, 1), st.sampled_from([0.0, 0.5, 1.0, 2.0, 2.5]), st.sampled_from([None, 3]))
def test_plain_loops_say_the_same(frames: Frames, overlap: float, seconds: float, ignored: int | None) -> None:
    videos, skip = BENCH.read(*frames), {0, ignored}
    segments = SegmentF1(CLASSES, overlap=overlap, ignore_index=ignored, ignored_frames="published")
    points = PointF1(CLASSES, seconds, fps=FPS, ignore_index=ignored, ignored_frames="published")
    accuracy, delay = Top1(CLASSES, ignore_index=ignored), DetectionDelay(CLASSES, fps=FPS, ignore_index=ignored)
    for metric in (segments, points, accuracy, delay):
        metric.update(*frames)
    for metric, tally in (
        (segments, BENCH.segments_by_loop(videos, skip, overlap)),
        (points, BENCH.points_by_loop(videos, skip, seconds * FPS)),
    ):
        details = metric.details()
        assert (int(details["tp"]), int(details["fp"]), int(details["fn"])) == tuple(tally)
        assert float(details["f1"]) == pytest.approx(tally.f1)
    right = BENCH.accuracy_by_loop(videos, {ignored})
    assert float(accuracy.compute()) == pytest.approx(right, nan_ok=True)
    delays = BENCH.delays_by_loop(videos, skip, FPS)
    assert float(delay.compute()) == pytest.approx(sum(delays) / len(delays) if delays else math.nan, nan_ok=True)


@FEW
@given(FRAMES, st.randoms(use_true_random=False), st.sampled_from([3, -100]))
def test_nothing_said_of_ignored_frames_counts(frames: Frames, chance: object, ignored: int) -> None:
    hidden = frames.target == 3
    target = torch.where(hidden, ignored, frames.target)
    said = torch.where(hidden, chance.randrange(CLASSES), frames.target)  # type: ignore[attr-defined]  # a random.Random
    labels = {"background": 0, "ignore_index": 3}
    for metric in (SegmentF1(CLASSES, overlap=0.3, **labels), PointF1(CLASSES, 0.75, fps=FPS, **labels)):
        metric.update(said, target, frames.video, frames.frame)
        details = metric.details()
        assert int(details["fp"]) == int(details["fn"]) == 0
        there, silent = metric.clone(), torch.where(hidden, 0, frames.preds)
        other = torch.where(hidden, said, frames.preds)
        for one, preds in ((metric, other), (there, silent)):
            one.reset()
            one.update(preds, target, frames.video, frames.frame)
        assert torch.equal(metric.compute(), there.compute())


@FEW
@given(FRAMES, st.randoms(use_true_random=False), st.integers(1, 7))
def test_order_batching_and_repeats(frames: Frames, chance: object, size: int) -> None:
    rows = [*range(len(frames.preds)), *range(0, len(frames.preds), 3)]  # every third frame twice
    chance.shuffle(rows)  # type: ignore[attr-defined]  # hypothesis draws a random.Random
    batches = [frames.picked(part) for part in torch.tensor(rows).split(size)]
    assert values(metrics(), batches) == values(metrics(), [frames])


@FEW
@given(FRAMES, st.permutations(range(CLASSES)))
def test_class_numbers_are_only_names(frames: Frames, names: list[int]) -> None:
    renamed = torch.tensor(names)
    other = frames._replace(preds=renamed[frames.preds], target=renamed[frames.target])
    found = values(metrics(background=names[0], ignore_index=names[3]), [other])
    assert found == pytest.approx(values(metrics(background=0, ignore_index=3), [frames]))


@FEW
@given(FRAMES, st.integers(0, 10**9), st.integers(-(10**12), 10**12))
def test_videos_may_begin_at_any_frame_and_have_any_number(frames: Frames, later: int, number: int) -> None:
    other = frames._replace(frame=frames.frame + later, video=number - frames.video * 1000)
    assert values(metrics(), [other]) == values(metrics(), [frames])


@FEW
@given(LINES, st.integers(1, 9))
def test_silence_at_the_end_changes_no_segment(lines: list[list[tuple[int, int, int]]], more: int) -> None:
    longer = joined([[*line, (0, 0, more)] for line in lines])
    found, before = values(metrics(), [longer]), values(metrics(), [joined(lines)])
    for name in ("segments micro", "segments macro", "segments macro_all", "start", "true_middle", "delay", "errors"):
        assert found[name] == before[name]


@FEW
@given(FRAMES, st.integers(1, 4))
def test_states_of_several_processes_merge_to_the_whole(frames: Frames, processes: int) -> None:
    whole = values(metrics(), [frames])
    shares = [frames.picked(torch.arange(len(frames.preds))[rank::processes]) for rank in range(processes)]
    for name, metric in metrics().items():
        for share in shares[1:]:
            other = metrics()[name]
            other.update(*share)
            metric.merge_state(other)
        metric.update(*shares[0])
        value = float(metric.compute())
        assert value == whole[name] or (math.isnan(value) and whole[name] is None)


@FEW
@given(FRAMES)
def test_every_score_stays_in_its_range(frames: Frames) -> None:
    for name, value in values(metrics(), [frames]).items():
        assert value is None or value >= 0
        if not name.startswith(("delay", "alarms", "errors", "few")):
            assert value is None or value <= 1


@FEW
@given(FRAMES)
def test_a_perfect_prediction_is_perfect(frames: Frames) -> None:
    found = values(metrics(), [frames._replace(preds=frames.target)])
    expected = float(bool((frames.target > 0).any()))
    assert all(found[name] == expected for name in ("segments micro", "segments macro", "start", "middle"))
    assert found["accuracy"] == 1
    assert found["errors"] == 0
    assert found["delay"] == (0 if expected else None)
    assert found["alarms"] == 0
