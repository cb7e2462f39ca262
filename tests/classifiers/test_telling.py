"""Texts of similar moments before the answer: the same in windows, in one pass and live, kept in a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.base import Split
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.neighbors import NeighborTexts, number_of
from gad_lightning.readouts.base import Readout
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.streaming.detector import OnlineDetector
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames, schema

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
FRAMES = 11


def told(mode: str = "one_pass", moments: int = 12, short: int = FRAMES, **arguments: Any) -> GenerativeClassifier:
    """A classifier that knows random moments."""
    windows = schema(mode=mode, short=short, chunk=4)
    neighbors = NeighborTexts(count=2, frames=3, most=16)
    classifier = make(GenerativeClassifier, schema=windows, neighbors=neighbors, **arguments)
    keys = torch.randn(moments, WIDTH, generator=torch.Generator().manual_seed(7))
    neighbors.take(keys, torch.arange(moments) % len(NAMES), [f"video {number}" for number in range(moments)])
    assert isinstance(classifier, GenerativeClassifier)
    return classifier.eval()


@pytest.mark.parametrize(
    "readout", [TrieReadout(), NearestReadout(4), LikelihoodReadout(3)], ids=lambda r: type(r).__name__
)
def test_windows_one_pass_and_live_agree(readout: Readout) -> None:
    frames = random_frames(1, FRAMES)
    one_pass, window = told(readout=readout), told("window", readout=readout)
    prefixes = [batch(frames[:, : end + 1], [[end]]) for end in range(FRAMES)]
    expected = torch.cat([window.scores(prefix).scores for prefix in prefixes])
    at_once = one_pass.scores(batch(frames, [list(range(FRAMES))])).scores
    detector, window_detector = OnlineDetector(one_pass), OnlineDetector(window)
    live = torch.cat([detector.push(frames[:, frame]).scores for frame in range(FRAMES)])
    kept = torch.cat([window_detector.push(frames[:, frame]).scores for frame in range(FRAMES)])
    for found in (at_once, live, kept):
        assert torch.equal(found.isinf(), expected.isinf())
        assert torch.allclose(found.exp(), expected.exp(), atol=1e-5)


def test_live_equals_detect_over_chunks_and_for_several_streams() -> None:
    classifier, frames = told(short=5), random_frames(2, FRAMES)
    detector = OnlineDetector(classifier, num_streams=2)
    live = torch.stack([detector.push(frames[:, frame]).scores for frame in range(FRAMES)], 1)
    for stream in range(2):
        expected = classifier.detect(frames[stream, :, 0].numpy()).scores
        assert torch.allclose(live[stream].exp(), expected.exp(), atol=1e-5)
    again = OnlineDetector(classifier, num_streams=2)
    for frame in range(6):
        again.push(frames[:, frame])
    resumed = OnlineDetector(classifier, num_streams=2)
    resumed.load_state_dict(again.state_dict())
    assert torch.equal(resumed.push(frames[:, 6]).scores, again.push(frames[:, 6]).scores)


def test_the_texts_stand_on_the_branch_before_the_opener_and_are_learned_by_nobody() -> None:
    classifier, asked = told(), batch(random_frames(1, FRAMES), [[2, 9]])
    lead = classifier.lead_of(asked)
    assert lead is not None
    tokens, plain = classifier.render(asked, lead=lead), classifier.render(asked)
    vocabulary = classifier.backbone.vocabulary
    for query in range(2):
        own = tokens.ids[(tokens.query == query) & (tokens.places.kind == 3)].tolist()
        assert own == [*lead[query][lead[query] >= 0].tolist(), *classifier.prompt.opener_ids.tolist()]
        assert vocabulary.decode(own).replace(" ", "").startswith("Similarmoments:")
        slot = int(tokens.slots[query])
        assert int(tokens.ids.reshape(-1)[slot]) == int(classifier.prompt.opener_ids[-1])
    trunk = plain.places.kind != 3
    assert torch.equal(tokens.ids[:, : int(trunk.sum())], plain.ids[trunk].unsqueeze(0))
    assert (tokens.target < 0).all()


def test_the_answer_depends_on_what_is_told() -> None:
    classifier, asked = told(), batch(random_frames(1, FRAMES), [[2, 9]])
    before = classifier.scores(asked).slot_states
    assert classifier.neighbors is not None
    classifier.neighbors.table[:, -2] = (classifier.neighbors.table[:, -2] + 1) % len(NAMES)
    assert not torch.allclose(classifier.scores(asked).slot_states, before, atol=1e-3)


def test_without_moments_nothing_stands_before_the_openers() -> None:
    silent, asked = told(moments=0), batch(random_frames(2, FRAMES), [[2, 9], [4]])
    lead = silent.lead_of(asked)
    assert lead is not None
    assert lead.shape == (3, 0)
    assert torch.equal(silent.render(asked, lead=lead).ids, silent.render(asked).ids)


def test_names_are_written_as_labels_are() -> None:
    classifier = told(labels=SingleTokenLabels())
    lead = classifier.lead_of(batch(random_frames(1, FRAMES), [[5]]))
    assert lead is not None
    written = {row[0] for row in classifier.writer.label_ids[0]}
    assert sum(token in written for token in lead[0].tolist()) == 2


def fitted(home: Path) -> tuple[GenerativeClassifier, ToyActions]:
    """A classifier after an epoch, and its data."""
    data = ToyActions(mode="one_pass", num_videos=8)
    classifier = make(GenerativeClassifier, schema=data.schema, neighbors=NeighborTexts(count=99, frames=2, most=99))
    Trainer(max_epochs=1, default_root_dir=home, enable_checkpointing=False, **QUIET).fit(classifier, data)
    assert isinstance(classifier, GenerativeClassifier)
    return classifier, data


def test_a_checkpoint_keeps_the_moments_of_its_training_videos(tmp_path: Path) -> None:
    classifier, data = fitted(tmp_path)
    assert classifier.neighbors is not None
    names = {number_of(record.name) for record in data.videos("train")}
    assert set(classifier.neighbors.table[:, -1].long().tolist()) == names | {-1}
    trainer = Trainer(default_root_dir=tmp_path, enable_checkpointing=False, **QUIET)
    found: Any = trainer.predict(classifier, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    again = GenerativeClassifier.load_from_checkpoint(tmp_path / "last.ckpt")
    once_more: Any = Trainer(**QUIET, enable_checkpointing=False).predict(again, data)
    assert again.neighbors is not None
    assert torch.equal(again.neighbors.table, classifier.neighbors.table)
    for one, other in zip(found, once_more, strict=True):
        assert torch.allclose(one.scores, other.scores, atol=1e-5)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_query_of_a_training_video_is_not_told_moments_of_its_own(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, data = fitted(tmp_path)
    nearest, counts = NeighborTexts.nearest, set()

    def noted(self: NeighborTexts, recent: Tensor, there: Tensor, video: Tensor) -> list[list[int]]:
        """How many moments each query of the first video is told."""
        found = nearest(self, recent, there, video)
        first = data.first_video(split)
        counts.update(len(labels) for labels, number in zip(found, video.tolist(), strict=True) if number == first)
        return found

    monkeypatch.setattr(NeighborTexts, "nearest", noted)
    data.predict_split = split
    Trainer(**QUIET, enable_checkpointing=False).predict(classifier, data)
    assert classifier.neighbors is not None
    assert classifier.neighbors.names == ()
    video = classifier.neighbors.table[:, -1]
    own = video == number_of(data.videos(split)[0].name)
    assert bool(own.any()) == (split == "train")
    assert counts == {int((video >= 0).sum()) - int(own.sum())}


def test_loaders_without_a_data_module_are_refused(tmp_path: Path) -> None:
    data = ToyActions(mode="one_pass", num_videos=8)
    classifier = make(GenerativeClassifier, schema=data.schema, neighbors=NeighborTexts(frames=2))
    trainer = Trainer(max_epochs=1, default_root_dir=tmp_path, enable_checkpointing=False, **QUIET)
    loader = DataLoader(data.dataset("train", training=True), batch_size=None)
    with pytest.raises(
        SettingError, match=r"reads the training videos, and .* loaders alone[^$]*give it the data module"
    ):
        trainer.fit(classifier, loader)


def test_only_neighbor_texts_can_be_neighbors() -> None:
    with pytest.raises(SettingError, match="neighbors"):
        make(GenerativeClassifier, neighbors=3)
