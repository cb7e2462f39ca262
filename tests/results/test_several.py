"""Several labels a frame: metrics, files and figures of them say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.compare.scores import counts_of, metrics_named, value_of
from gad_lightning.metrics import FrameMAP
from gad_lightning.metrics.functional import segment_f1
from gad_lightning.report.merging import joined as joined_sets
from gad_lightning.report.scores import score
from gad_lightning.report.timelines import tracks_of
from gad_lightning.results.predictions import read_predictions, write_predictions
from gad_lightning.results.rows import QueryColumns, columns_of, joined
from gad_lightning.results.standard import metrics_of, monitored, names_of
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import IGNORED, Predictions

NAMES = ("background", "walk", "talk", "sit")
LABELS = LabelSet(NAMES, 0, multi_label=True)
TASK = Task("action", LABELS)
SCHEMA = DataSchema((TASK,), features=FeatureSpec("test", 4.0, 3))


def runs(rng: np.random.Generator, frames: int) -> torch.Tensor:
    """(F, C) bool: activities that come and go, the background where there is none."""
    shown = np.repeat(rng.random((frames // 4, len(NAMES))) < 0.4, 4, axis=0)
    shown[:, 0] = ~shown[:, 1:].any(1)
    return torch.from_numpy(shown)


def predicted(seed: int = 0, noise: float = 0.15, frames: int = 40) -> Predictions:
    """Two videos; some frames of the second are not labeled."""
    rng = np.random.default_rng(seed)
    truth = torch.cat([runs(rng, frames), runs(rng, frames)])
    target = truth.float()
    target[frames + 8 : frames + 14] = IGNORED
    flipped = truth ^ torch.from_numpy(rng.random(truth.shape) < noise)
    logits = torch.where(flipped, 2.0, -2.0) + torch.from_numpy(rng.normal(size=truth.shape)).float() * 0.3
    video, frame = torch.arange(2).repeat_interleave(frames), torch.arange(frames).repeat(2)
    scores = torch.nn.functional.logsigmoid(logits)
    return Predictions(video, frame, video * 0, frame, target, scores, logits, torch.zeros(2 * frames, 2))


def evaluated(found: Predictions, per_class: bool = False) -> dict[str, float]:
    """What validation says of it, of rows in any order, some of them twice."""
    evaluation = Evaluation(SCHEMA)
    rows = torch.randperm(len(found.video), generator=torch.Generator().manual_seed(0))
    for part in (*rows.split(13), rows[:20]):
        evaluation.update(found.picked(part))
    return {name: float(value) for name, value in evaluation.compute(per_class).items()}


def test_the_average_precision_comes_first_and_chooses_the_checkpoint() -> None:
    assert monitored(SCHEMA) == "val/map"
    assert names_of(SCHEMA) == list(evaluated(predicted())) == ["map", "frame_f1", "segment_f1", "point_f1", "top1"]
    names = [metric.name for metric in metrics_named(None, TASK)]
    assert names == ["frame_f1", "segment_f1", "point_f1", "top1", "readiness", "mean_delay", "false_alarms_per_hour"]


def test_whoever_is_right_everywhere_has_one_everywhere() -> None:
    found = evaluated(predicted(noise=0.0), per_class=True)
    assert set(found) == {"map", "frame_f1", "segment_f1", "point_f1", "top1", "ap/walk", "ap/talk", "ap/sit"}
    assert set(found.values()) == {1.0}


def test_each_class_is_measured_by_itself() -> None:
    found, values = predicted(), evaluated(predicted(), per_class=True)
    known = (found.target >= 0).all(1)
    ranked = FrameMAP(4)
    ranked.update(found.scores.exp(), found.target, found.video, found.frame)
    assert values["map"] == pytest.approx(float(ranked.compute()))
    assert values["ap/talk"] == pytest.approx(float(ranked.details()["per_class"][2]))
    chosen, hits, total = found.scores.exp() >= 0.5, 0.0, 0
    for index in (1, 2, 3):
        said, true = chosen[:, index], found.target[:, index] > 0
        hits += 2 * float((said & true & known).sum())
        total += int((said & known).sum() + (true & known).sum())
    assert values["frame_f1"] == pytest.approx(hits / total)


def test_segments_are_those_of_each_class_alone() -> None:
    found = predicted()
    chosen, true = found.scores.exp() >= 0.5, found.target.long()
    video = torch.cat([found.video + 10 * index for index in (1, 2, 3)])
    alone = [
        torch.cat([torch.where(part[:, index] > 0, index, 0) for index in (1, 2, 3)]) for part in (chosen.long(), true)
    ]
    alone[1][(true[:, 0] < 0).repeat(3)] = IGNORED
    expected = segment_f1(*alone, video, found.frame.repeat(3), num_classes=4)
    assert evaluated(found)["segment_f1"] == pytest.approx(float(expected))


def test_a_single_label_is_right_where_it_is_one_of_the_true_ones() -> None:
    found = predicted()
    known = (found.target >= 0).all(1)
    columns = columns_of(found, SCHEMA.tasks)
    right = found.target[torch.arange(80), torch.from_numpy(columns.label)] > 0
    assert evaluated(found)["top1"] == pytest.approx(float(right[known].float().mean()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Predictions as they are written."""
    parts = [columns_of(predicted(), SCHEMA.tasks), joined([])]
    write_predictions(tmp_path, joined(parts), SCHEMA, ["tea", "soup"], "GADClassifier")
    return tmp_path


def test_files_name_all_labels_and_say_what_validation_says(folder: Path) -> None:
    about, (found,) = read_predictions(folder)
    assert about.tasks == (TASK,)
    values = evaluated(predicted())
    for metric in metrics_of(TASK):
        counts = counts_of(found, metric, 4.0)
        assert float(value_of(metric, TASK)(counts.sum(0))) == pytest.approx(values[metric.name])
    scores = score(found, 4.0, [0, 5, 5, 5])
    assert scores.standard == pytest.approx({name: values[name] for name in scores.standard})
    lines = (folder / "frames.csv").read_text().splitlines()
    assert any(";" in line for line in lines)
    assert found.same_test(read_predictions(folder)[1][0])


def test_segments_overlap_in_files_and_pictures(folder: Path) -> None:
    rows = [line.split(",") for line in (folder / "segments.csv").read_text().splitlines()[1:]]
    spans = [(row[0], int(row[2]), int(row[3]), row[6]) for row in rows]
    assert any(a != b and a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in spans for b in spans)
    chosen = predicted().scores.exp() >= 0.5
    covered = {(video, frame, label) for video, start, end, label in spans for frame in range(start, end)}
    rows_and_classes = chosen[:, 1:].nonzero().tolist()
    assert covered == {(("tea", "soup")[row // 40], row % 40, NAMES[index + 1]) for row, index in rows_and_classes}
    _, (found,) = read_predictions(folder)
    truth, said = tracks_of("tea", ["GAD"], [found], [4.0])
    assert {segment.label for segment in truth.segments} == {0, 1, 2, 3}
    assert len(said.segments) > len(truth.segments)


def test_a_frame_of_nothing_and_an_unlabeled_one_are_told_apart(tmp_path: Path) -> None:
    schema = DataSchema((Task("action", LabelSet(NAMES[1:], multi_label=True)),), features=SCHEMA.features)
    rows, target = torch.arange(3), torch.tensor([[0.0, 1, 1], [0, 0, 0], [IGNORED] * 3])
    scores = torch.tensor([[0.2, 0.9, 0.6], [0.1, 0.1, 0.1], [0.7, 0.1, 0.1]]).log()
    found = Predictions(rows * 0, rows, rows * 0, rows, target, scores, scores, scores)
    write_predictions(tmp_path, columns_of(found, schema.tasks), schema, None, "GADClassifier")
    lines = [line.split(",") for line in (tmp_path / "frames.csv").read_text().splitlines()[1:]]
    assert [(line[4], line[6].lstrip("'")) for line in lines] == [("talk; sit", "talk; sit"), ("", "-"), ("walk", "")]
    _, (read,) = read_predictions(tmp_path)
    assert read.truths is not None
    assert read.truths.tolist() == [[0, 1, 1], [0, 0, 0], [-1, -1, -1]]


def test_an_odd_class_list_does_not_mix_runs_up() -> None:
    assert joined_sets([LABELS, LabelSet(("background", "jump"), 0)]).multi_label


def test_columns_of_one_label_hold_no_more_than_before() -> None:
    rows = torch.arange(2)
    scores = torch.tensor([[0.2, 0.8], [0.9, 0.1]]).log()
    kept = columns_of(Predictions(rows, rows, rows * 0, rows, rows, scores, scores, scores))
    assert isinstance(kept, QueryColumns)
    assert kept.probabilities is None
    assert kept.label.tolist() == [1, 0]
