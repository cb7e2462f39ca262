"""Answers helped by an index: by one callback, live, and only with the checkpoint of the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.search.answers import NeighborAnswers, votes_of
from gad_lightning.search.building import index_of_run
from gad_lightning.streaming.detector import OnlineDetector
from tests.classifiers.making import NAMES, make, schema
from tests.tools.searching import trained_run

pytest.importorskip("faiss", reason="the extra `search`")
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the index of its training videos."""
    made = trained_run(tmp_path_factory.mktemp("run"))
    index_of_run(made / "index", made / "checkpoints" / "best.ckpt", data(), "train", ("gad_lightning",))
    return made


def data() -> ToyActions:
    """What it was trained on."""
    return ToyActions(mode="one_pass", num_videos=12)


def classifier_of(run: Path) -> Classifier:
    """Its classifier."""
    return Classifier.load_from_checkpoint(run / "checkpoints" / "best.ckpt").eval()


def test_a_callback_lets_neighbors_vote_and_leaves_the_classifier_as_it_was(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = classifier_of(run)
    plain: Any = Trainer(**QUIET).predict(classifier, data())
    callback = NeighborAnswers(run / "index", weight=0.5, temperature=0.05)
    helped: Any = Trainer(**QUIET, callbacks=[callback]).predict(classifier, data())
    votes = votes_of(classifier, run / "index", 0.5, 0.05)
    for one, other in zip(plain, helped, strict=True):
        assert torch.allclose(votes(one).scores, other.scores, atol=1e-4)
        assert not torch.allclose(one.scores, other.scores, atol=1e-2)
    assert classifier.votes is None


def test_weight_and_temperature_come_from_validation_and_test_scores_use_them(run: Path) -> None:
    with pytest.raises(SettingError, match=r"The temperature 0\.2 of NeighborAnswers has no weight beside it"):
        NeighborAnswers(run / "index", temperature=0.2)
    callback = NeighborAnswers(run / "index")
    seen: list[float] = []

    class Watching(NeighborAnswers):
        """Notes what was chosen."""

        def on_test_end(self, trainer: Trainer, pl_module: Any) -> None:
            """Look before it is gone."""
            seen.extend([pl_module.votes.weight, pl_module.votes.temperature])
            super().on_test_end(trainer, pl_module)

    found = Trainer(**QUIET, callbacks=[Watching(callback.index)]).test(classifier_of(run), data(), verbose=False)
    assert "test/top1" in found[0]
    assert 0 <= seen[0] <= 0.9
    assert seen[1] > 0


def test_detect_and_live_streams_follow(run: Path) -> None:
    classifier, record = classifier_of(run), data().videos("test")[0]
    frames = record.frames.rows(torch.arange(12).numpy())
    plain = classifier.detect(frames).scores
    classifier.votes = votes_of(classifier, run / "index", 0.5, 0.05)
    whole = classifier.detect(frames).scores
    assert not torch.allclose(plain, whole, atol=1e-2)
    detector = OnlineDetector(classifier)
    live = torch.stack([detector.push(torch.from_numpy(frame)[None]).scores[0] for frame in frames])
    assert torch.allclose(live, whole, atol=1e-3)


def test_another_checkpoint_and_several_labels_are_refused(run: Path) -> None:
    with pytest.raises(SettingError, match="is the index of another checkpoint"):
        votes_of(make(DiscriminativeClassifier), run / "index")
    several = DataSchema((Task("action", LabelSet(NAMES, 0, multi_label=True)),), (), schema().features)
    with pytest.raises(SettingError, match="Neighbors vote for one label, and several can be true"):
        votes_of(make(DiscriminativeClassifier, schema=several), run / "index")


def test_test_videos_have_no_vote(run: Path, tmp_path: Path) -> None:
    index_of_run(tmp_path / "index", run / "checkpoints" / "best.ckpt", data(), "test", ("gad_lightning",))
    callback = NeighborAnswers(tmp_path / "index", weight=0.5)
    with pytest.raises(SettingError, match="which is no training video: its true labels would vote"):
        Trainer(**QUIET, callbacks=[callback]).test(classifier_of(run), data())


def test_without_validation_videos_a_weight_must_be_given(run: Path) -> None:
    loader = data().dataset("test")
    trainer = Trainer(**QUIET, callbacks=[NeighborAnswers(run / "index")])
    with pytest.raises(SettingError, match="no validation videos to weigh the neighbors by"):
        trainer.predict(classifier_of(run), torch.utils.data.DataLoader(loader, batch_size=None))
