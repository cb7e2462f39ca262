"""Unknown actions: fitted once, then told in every way a classifier is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.predictions import PredictionWriter
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import DataError, SettingError
from gad_lightning.rejection.base import RejectionScore
from gad_lightning.rejection.energy import EnergyScore
from gad_lightning.rejection.mahalanobis import MahalanobisScore
from gad_lightning.rejection.max_softmax import MaxSoftmaxScore
from gad_lightning.rejection.neighbors import NeighborScore
from gad_lightning.rejection.virtual_logit import ViMScore
from gad_lightning.results.predictions import read_predictions
from gad_lightning.schema import Mode
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.types import Predictions

FRAMES = torch.randn(12, 12, generator=torch.Generator().manual_seed(5))


def toy(**settings: Any) -> ToyActions:
    """Eight short videos."""
    return ToyActions(**{"num_videos": 8, "mode": "one_pass", **settings})


def classifier_of(data: ToyActions, kind: type[Classifier] = DiscriminativeClassifier) -> Classifier:
    """Untrained: half of what it sees is unlike the rest."""
    torch.manual_seed(0)
    made: Classifier = kind(schema=data.schema, backbone=TinyBackbone(hidden_size=32, num_layers=1))
    return made.eval()


def fitted(score: RejectionScore, mode: Mode = "one_pass", kept: float = 0.5) -> Classifier:
    """Rejects about half of the validation."""
    data = toy(mode=mode)
    classifier = classifier_of(data)
    classifier.fit_rejection(data, score, kept, over_background=True)
    return classifier


def test_nothing_is_rejected_until_so_wanted() -> None:
    classifier = classifier_of(toy())
    assert classifier.shown_schema is classifier.schema
    assert classifier.fitted_state() == {}
    assert "unknown" not in classifier.detect(FRAMES).labels
    pushed = OnlineDetector(classifier).push(FRAMES[0])
    assert pushed.rejection is None
    assert not bool(pushed.unknown.any())


@pytest.mark.parametrize(
    "score",
    [MaxSoftmaxScore(), EnergyScore(), NeighborScore(), MahalanobisScore(), ViMScore()],
    ids=lambda score: type(score).__name__,
)
def test_the_threshold_leaves_the_stated_share_of_the_known_segments(score: RejectionScore) -> None:
    data = toy()
    classifier = classifier_of(data)
    threshold = classifier.fit_rejection(data, score, kept=0.75)
    rejector = classifier.rejector
    assert rejector is not None
    means: dict[tuple[int, int], list[float]] = {}
    labels = classifier.schema.tasks[0].labels
    for batch in data.val_dataloader():
        found = classifier.score_in_evaluation(batch)
        values = rejector.scored(found.slot_states, found.logits, labels)
        for video, label, value in zip(batch.video.tolist(), batch.label.tolist(), values.tolist(), strict=True):
            if label != labels.background:
                means.setdefault((video, label), []).append(value)  # no step comes twice in a recipe
    below = [sum(values) / len(values) <= threshold for values in means.values()]
    assert sum(below) == round(0.75 * len(below))


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_live_frames_are_unknown_where_those_of_a_video_are(mode: Mode) -> None:
    classifier = fitted(NeighborScore(neighbors=1), mode)
    offline = classifier.detect(FRAMES)
    live = OnlineDetector(classifier)
    unknown = [bool(live.push(frame).unknown) for frame in FRAMES]
    assert unknown == [label == "unknown" for label in offline.labels]
    assert sum(unknown) > 0, "else nothing was tried"


def test_unknown_stretches_are_segments_of_their_own() -> None:
    classifier = fitted(EnergyScore(), kept=0.5)
    assert classifier.rejector is not None
    classifier.rejector.threshold.fill_(-1e9)
    found = classifier.detect(FRAMES)
    assert found.labels == ["unknown"] * len(FRAMES)
    assert [(stretch.label, stretch.start_seconds) for stretch in found.segments] == [("unknown", 0.0)]


def test_the_background_is_unknown_only_where_so_wanted() -> None:
    data = toy()
    classifier = classifier_of(data)
    classifier.fit_rejection(data, EnergyScore())
    rejector, background = classifier.rejector, classifier.schema.tasks[0].labels.background
    assert rejector is not None
    rejector.threshold.fill_(-1e9)
    scores = torch.full((2, 8), -9.0)
    scores[0, background], scores[1, 1] = 0.0, 0.0
    none = torch.zeros(2, dtype=torch.int64)
    predictions = Predictions(none, none, none, none, none, scores, scores, torch.zeros(2, 32))
    assert classifier.judged(predictions).unknown.tolist() == [False, True]
    rejector.over_background = True
    assert classifier.judged(predictions).unknown.tolist() == [True, True]


@pytest.mark.parametrize("score", [NeighborScore(), MahalanobisScore()], ids=["neighbors", "mahalanobis"])
def test_a_saved_classifier_rejects_the_same(score: RejectionScore, tmp_path: Path) -> None:
    classifier = fitted(score)
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(classifier)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    expected = classifier.detect(FRAMES).labels
    assert "unknown" in expected
    for source in (tmp_path / "a.ckpt", classifier.save_pretrained(tmp_path / "folder")):
        assert Classifier.from_pretrained(source).detect(FRAMES).labels == expected


def test_a_classifier_made_from_a_config_takes_it_from_the_checkpoint(tmp_path: Path) -> None:
    data = toy()
    classifier = fitted(NeighborScore(), kept=0.2)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(**quiet)
    trainer.strategy.connect(classifier)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    fresh = classifier_of(data)
    writer = PredictionWriter(tmp_path / "predictions")
    Trainer(**quiet, callbacks=[writer]).predict(fresh, data, ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    about, (found,) = read_predictions(tmp_path / "predictions")
    assert about.tasks[0].labels.names == (*data.class_names, "unknown")
    assert (found.label == len(data.class_names)).any()
    assert ((found.score > 0) & (found.score <= 1)).all()


def test_a_writing_classifier_rejects_by_its_states() -> None:
    data = toy(num_videos=4)
    classifier = classifier_of(data, GenerativeClassifier)
    classifier.fit_rejection(data, NeighborScore(neighbors=1), kept=0.5, over_background=True)
    assert "unknown" in classifier.detect(FRAMES).labels


def test_training_on_makes_it_reject_nothing_any_more() -> None:
    data = toy(num_videos=4)
    classifier = fitted(EnergyScore())
    trainer = Trainer(
        max_steps=1, logger=False, enable_progress_bar=False, accelerator="cpu", enable_checkpointing=False
    )
    with pytest.warns(UserWarning, match="nothing is rejected any more"):
        trainer.fit(classifier, data)
    assert classifier.rejector is None


def test_a_share_that_is_none_is_refused_and_nothing_changes() -> None:
    classifier = classifier_of(toy())
    with pytest.raises(SettingError, match=r"kept is a share of the known segments in \(0, 1\), got 1"):
        classifier.fit_rejection(toy(), EnergyScore(), kept=1)
    assert classifier.rejector is None


def test_data_of_other_classes_are_refused() -> None:
    other = DiscriminativeClassifier(class_names=["background", "stir"], backbone=TinyBackbone(hidden_size=32))
    with pytest.raises(SettingError, match="ToyActions has other classes"):
        other.fit_rejection(toy(), EnergyScore())


def test_a_class_called_unknown_is_refused() -> None:
    classifier = DiscriminativeClassifier(class_names=["background", "unknown"], backbone=TinyBackbone(hidden_size=32))
    with pytest.raises(SettingError, match="A class is called 'unknown'"):
        classifier.fit_rejection(toy(), EnergyScore())


def test_data_without_validation_are_refused() -> None:
    class NoValidation(ToyActions):
        """Has none."""

        def records(self, split: Any) -> Any:
            """None for validation."""
            return [] if split == "val" else super().records(split)

    data = NoValidation(num_videos=8, mode="one_pass", val_fraction=0.0)
    with pytest.raises(DataError, match="The val split of NoValidation has no videos"):
        classifier_of(data).fit_rejection(data, EnergyScore())
