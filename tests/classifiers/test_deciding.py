"""A classifier is calibrated on its validation split, and decides so wherever it labels and is loaded."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.predictions import PredictionWriter
from gad_lightning.classifiers.saving.rewriting import write_changed
from gad_lightning.data.base import Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.data.toy import ToyActions
from gad_lightning.decisions.best_path import BestPath
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.steady import SwitchCost
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.thresholds import NEVER, AlarmThresholds, Thresholds
from gad_lightning.errors import CheckpointError, DataError, SettingError
from gad_lightning.heads.text import TextHead
from gad_lightning.rejection.max_softmax import MaxSoftmaxScore
from gad_lightning.schema import DataSchema, LabelSet

LOOSE = AlarmThresholds(400.0, fewest=1, absent="pool")


class NoValidation(ToyActions):
    """Toy videos, none of which is for validation."""

    def videos(self, split: Split) -> list[VideoRecord]:
        """None of validation."""
        return [] if split == "val" else super().videos(split)


@pytest.fixture(scope="module")
def data() -> ToyActions:
    """Eight validation videos of toy features."""
    return made_data()


def made_data(num_videos: int = 32) -> ToyActions:
    """Toy videos, a quarter of them for validation."""
    return ToyActions(num_videos=num_videos, mode="one_pass", short_memory=4, chunk=32)


@pytest.fixture(scope="module")
def trained(data: ToyActions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a classifier that has learned a little."""
    torch.manual_seed(0)
    model = DiscriminativeClassifier(schema=data.schema, backbone=TinyBackbone(hidden_size=32, num_layers=1))
    trainer = Trainer(
        max_epochs=6, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(model, data)
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture
def classifier(trained: Path) -> Classifier:
    """The same, loaded."""
    return Classifier.load_from_checkpoint(trained)


def test_it_is_fitted_on_validation_and_tells_what_it_costs(classifier: Classifier, data: ToyActions) -> None:
    made = classifier.calibrate(data, LOOSE, MinimumDuration(0.5), ConformalLabels(0.2))
    assert made is classifier.decisions_of(0)
    assert made.frames == 2
    told = made.fitted_on
    assert told is not None
    assert told.videos == len(data.videos("val")) == 8
    assert told.after.log_loss <= told.before.log_loss
    assert [row.name for row in told.costs] == list(data.class_names[1:])
    assert all(row.bound <= 400 for row in told.costs if row.enter < NEVER)
    assert any((row.recall or 0) > 0.5 for row in told.costs)


def test_detect_gives_the_events_of_its_decisions(classifier: Classifier, data: ToyActions) -> None:
    record = data.videos("test")[0]
    video = record.frames.rows(np.arange(record.frames.num_frames))
    before = classifier.detect(video)
    classifier.calibrate(data, LOOSE, MinimumDuration(0.5), ConformalLabels(0.2))
    made, after = classifier.decisions_of(0), classifier.detect(video)
    assert made is not None
    assert torch.equal(before.scores, after.scores)
    decided = made(after.scores.double().numpy())
    events = made.events(decided)
    assert len(events) > 0
    names = data.class_names
    assert [(names.index(one.label), one.start_seconds * 4, one.end_seconds * 4) for one in after.segments] == [
        (event.label, event.start, event.end) for event in events
    ]
    assert [one.set for one in after.segments] == [tuple(names[index] for index in event.set) for event in events]
    assert after.labels == [names[int(row.argmax())] for row in decided.chosen]


def test_predict_writes_what_detect_gives(classifier: Classifier, data: ToyActions, tmp_path: Path) -> None:
    classifier.calibrate(data, LOOSE, MinimumDuration(0.5), ConformalLabels(0.2))
    trainer = Trainer(
        accelerator="cpu", logger=False, callbacks=[PredictionWriter(tmp_path)], enable_progress_bar=False
    )
    trainer.predict(classifier, data, return_predictions=False)
    with (tmp_path / "segments.csv").open(newline="") as file:
        segments = list(csv.DictReader(file))
    with (tmp_path / "frames.csv").open(newline="") as file:
        frames = list(csv.DictReader(file))
    for record in data.videos("test"):
        found = classifier.detect(record.frames.rows(np.arange(record.frames.num_frames)))
        rows = [row for row in segments if row["video"] == record.name]
        assert [(row["label"], float(row["start_seconds"]), float(row["end_seconds"])) for row in rows] == [
            one[:3] for one in found.segments
        ]
        assert [row["set"] for row in rows] == ["; ".join(one.set) for one in found.segments]
        assert [float(row["score"]) for row in rows] == pytest.approx([one.score for one in found.segments], abs=1e-5)
        assert [row["label"] for row in frames if row["video"] == record.name] == found.labels


def test_every_file_of_a_classifier_keeps_its_decisions(
    classifier: Classifier, data: ToyActions, trained: Path, tmp_path: Path
) -> None:
    made = classifier.calibrate(data, LOOSE, sets=ConformalLabels(0.2))
    write_changed(classifier, trained, tmp_path / "calibrated.ckpt")
    folder = classifier.save_pretrained(tmp_path / "shared")
    for source in (tmp_path / "calibrated.ckpt", folder):
        again = Classifier.from_pretrained(source).decisions_of(0)
        assert again is not None
        assert again.spec() == made.spec()
    assert Classifier.load_from_checkpoint(trained).decisions_of(0) is None
    card = (folder / "README.md").read_text()
    assert "## Decisions of action" in card
    assert "false alarms an hour of each class below 400; a class goes on" in card


def test_a_checkpoint_without_decisions_is_as_before(trained: Path) -> None:
    stored = torch.load(trained, weights_only=True)
    assert stored["gad_lightning"].pop("decisions") == {}
    stored["gad_lightning"].pop("digest")
    old = Classifier.made_again(stored, "old.ckpt", "cpu", ["gad_lightning"])
    assert old.decisions_of(0) is None


def test_a_checkpoint_with_decisions_of_other_classes_is_refused(
    classifier: Classifier, data: ToyActions, trained: Path
) -> None:
    stored = torch.load(trained, weights_only=True)
    stored["gad_lightning"].pop("digest")
    names = tuple(name.upper() for name in data.class_names)
    other = Decisions(LabelSet(names, 0), 4.0, thresholds=Thresholds([0.5] * len(names)))
    for decisions, message in (
        ({"action": other.spec()}, f"class 0 was {names[0]!r} and is {data.class_names[0]!r}"),
        ({"dish": other.spec()}, r"decisions are of \['dish'\], and its tasks are \['action'\]"),
        ({"action": MinimumDuration().spec()}, r"decisions are of \['action'\]"),
    ):
        stored["gad_lightning"]["decisions"] = decisions
        with pytest.raises(CheckpointError, match=message) as error:
            Classifier.made_again(stored, "other.ckpt", "cpu", ["gad_lightning"])
        assert "calibrate again" in error.value.remedy


def test_training_drops_decisions_and_says_so(classifier: Classifier, data: ToyActions) -> None:
    classifier.calibrate(data, LOOSE)
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    with pytest.warns(UserWarning, match="fitted decisions are dropped: calibrate again"):
        trainer.fit(classifier, data)
    assert classifier.decisions_of(0) is None


def test_risk_control_takes_the_place_of_a_rate(classifier: Classifier, data: ToyActions) -> None:
    found = classifier.calibrate(data, RiskControl("missed", 0.5))
    assert found.fitted_on is not None
    assert len({row.enter for row in found.fitted_on.costs}) == 1
    assert all(math.isfinite(row.bound) for row in found.fitted_on.costs)


def test_what_cannot_be_calibrated_is_refused(classifier: Classifier, data: ToyActions) -> None:
    with pytest.raises(DataError, match="NoValidation has no validation split") as error:
        classifier.calibrate(NoValidation(num_videos=8, mode="one_pass", short_memory=4, chunk=32))
    assert "val_fraction" in error.value.remedy
    with pytest.raises(DataError, match="need 5 videos or more, got 2"):
        classifier.calibrate(made_data(8), LOOSE)
    with pytest.raises(DataError, match=r"A rate of 1 false alarms an hour needs 3 hours of labeled video"):
        classifier.calibrate(data)
    with pytest.raises(DataError, match=r"error of 0\.1 need 9 videos or more, got 8"):
        classifier.calibrate(data, LOOSE, sets=ConformalLabels(0.1))
    schema: DataSchema = classifier.schema
    task = schema.tasks[0]
    classifier.schema = schema._replace(tasks=(task._replace(per_frame=False),))
    with pytest.raises(SettingError, match="asked once a clip, so it has no events"):
        classifier.calibrate(data)
    other = task.labels._replace(names=tuple(name.upper() for name in task.labels.names))
    classifier.schema = schema._replace(tasks=(task._replace(labels=other),))
    with pytest.raises(SettingError, match="ToyActions has other classes than the classifier"):
        classifier.calibrate(data)
    assert not classifier.decisions


def test_scores_that_are_nan_are_refused(classifier: Classifier, data: ToyActions) -> None:
    with torch.no_grad():
        next(iter(classifier.trained_state().values())).fill_(float("nan"))
    with pytest.raises(DataError, match="are no log-probabilities"):
        classifier.calibrate(data, LOOSE)


def test_transitions_are_counted_in_the_classes_that_training_knows() -> None:
    class Rare(ToyActions):
        @property
        def class_names(self) -> list[str]:
            return [*super().class_names, "never shown"]

    held = Rare(num_videos=24, mode="one_pass", unknown_classes=["add salt"])
    names = held.schema.tasks[0].labels.names
    model = DiscriminativeClassifier(schema=held.schema, backbone=TinyBackbone(hidden_size=16, num_layers=1))
    steady = model.calibrate(held, BestPath()).steady
    assert isinstance(steady, BestPath)
    assert steady.counts is not None
    frames = dict(zip(names, map(sum, steady.counts), strict=True))
    assert "add salt" not in frames
    assert frames["never shown"] == 0
    full = Rare(num_videos=24, mode="one_pass")
    every = np.concatenate([laid.queries.label for laid in full.dataset("train").timelines])
    assert frames["pour water"] <= (every == full.class_names.index("pour water")).sum()
    assert frames["pour water"] > 0


def test_steady_labels_are_told_as_they_are_shown(data: ToyActions, trained: Path) -> None:
    model = Classifier.load_from_checkpoint(trained)
    model.calibrate(data, SwitchCost(1.0))
    with pytest.warns(UserWarning, match="Frames can be unknown now, so the fitted decisions are dropped"):
        model.fit_rejection(data, MaxSoftmaxScore(), kept=0.6)
    assert not model.decisions
    made = model.calibrate(data, SwitchCost(), MinimumDuration(0.5))
    assert made.fitted_on is not None
    told = made.fitted_on.steadiness
    assert told is not None
    right, known = 0, 0
    for record, laid in zip(data.videos("val"), data.dataset("val").timelines, strict=True):
        labels = model.detect(record.frames.rows(np.arange(record.frames.num_frames))).labels
        names = model.schema.tasks[0].labels.names
        truth = laid.queries.label
        right += sum(label == names[true] for label, true in zip(labels, truth.tolist(), strict=True))
        known += len(truth)
    assert told.accuracy == pytest.approx(right / known, abs=1e-4)


def test_a_classifier_with_added_classes_is_calibrated_on_data_that_counts_them() -> None:
    held = ToyActions(num_videos=24, mode="one_pass", unknown_classes=["add sugar"])
    backbone = TinyBackbone(hidden_size=16, num_layers=1, lora={"r": 4})
    model = DiscriminativeClassifier(schema=held.schema, backbone=backbone, head=TextHead)
    model.add_classes({"add sugar": "some sugar"})
    with pytest.raises(SettingError, match=r"set data\.added_classes to \['add sugar'\]"):
        model.calibrate(held, SwitchCost(1.0))
    counted = ToyActions(num_videos=24, mode="one_pass", unknown_classes=["add sugar"], added_classes=["add sugar"])
    assert model.calibrate(counted, SwitchCost(1.0)).labels == model.schema.tasks[0].labels


def test_what_does_not_fit_is_refused(data: ToyActions, trained: Path) -> None:
    model = Classifier.load_from_checkpoint(trained)
    with pytest.raises(SettingError, match="There is no task 9: the classifier has 1"):
        model.calibrate(data, task=9)
    with pytest.raises(SettingError, match="duration must be an instance of MinimumDuration, and is the SwitchCost"):
        model.calibrate(data, LOOSE, SwitchCost())  # type: ignore[arg-type]  # the mistake
