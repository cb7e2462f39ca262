"""What every data module does, shown on the toy data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.fabric.utilities.apply_func import move_data_to_device
from torch import Tensor, nn

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import DataError, SettingError
from gad_lightning.segments import Segment
from gad_lightning.types import Batch


class WithoutTest(ToyActions):
    """The toy data with its test split out of reach."""

    def records(self, split: Split) -> list[VideoRecord]:
        """Refuse to list the test split."""
        assert split != "test"
        return super().records(split)


class WithoutVal(ToyActions):
    """The toy data as if nobody had made a validation split."""

    def records(self, split: Split) -> list[VideoRecord]:
        """List no validation videos; more training videos."""
        return [] if split == "val" else super().records(split)


class Listed(ToyActions):
    """The toy classes with records of the test's own."""

    given: dict[str, list[VideoRecord]]

    def records(self, split: Split) -> list[VideoRecord]:
        """What the test put there."""
        return self.given.get(split, [])


class Probe(LightningModule):
    """Learns a linear map of the anchor frame and remembers the keys it met."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(12, 8)
        self.keys: list[tuple[int, int]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross entropy at the queries."""
        self.keys += list(zip(batch.video.tolist(), batch.query_index.tolist(), strict=True))
        return nn.functional.cross_entropy(self.map(batch.frames[batch.sample, batch.anchor, 0]), batch.label)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Run."""

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Return the keys."""
        return batch.video, batch.query_index

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), 0.05)


def trainer(**how: Any) -> Trainer:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(accelerator="cpu", **quiet, **how)


def test_the_schema_comes_before_setup_and_the_constructor_reads_nothing() -> None:
    data = ToyActions(short_memory=5, long_memory=3)
    assert "all_records" not in vars(data)
    assert data.schema.tasks[0].labels.names[0] == "background"
    assert data.schema.tasks[0].labels.background == 0
    assert data.schema.goals == ("make tea", "make soup")
    assert data.schema.windows.frames == 8
    assert len(data.schema.features.mean or ()) == data.schema.features.width == 12


def test_statistics_are_of_the_training_videos_and_can_be_left_out() -> None:
    data = ToyActions()
    rows = np.concatenate([record.frames.rows(np.arange(record.frames.num_frames)) for record in data.videos("train")])
    np.testing.assert_allclose(data.schema.features.mean, rows.mean((0, 1)), atol=1e-6)
    assert ToyActions(standardize=False).schema.features.mean is None


def test_fit_never_asks_for_the_test_split() -> None:
    data = WithoutTest(batch_size=4)
    data.setup("fit")
    assert next(iter(data.train_dataloader()))
    assert next(iter(data.val_dataloader()))
    assert data.video_names == [record.name for split in ("train", "val") for record in data.videos(split)]


def test_videos_are_numbered_over_all_splits() -> None:
    data = ToyActions(num_videos=8, batch_size=1000)
    names = data.video_names
    assert len(set(names)) == 8
    for loader, split in (
        (data.train_dataloader(), "train"),
        (data.val_dataloader(), "val"),
        (data.test_dataloader(), "test"),
    ):
        seen = {names[number] for batch in loader for number in batch.video.tolist()}
        assert seen == {record.name for record in data.videos(split)}


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_evaluation_asks_every_frame_once_with_its_label(mode: Any) -> None:
    data = ToyActions(mode=mode, short_memory=6, chunk=7, batch_size=5)
    asked = Counter()
    for batch in data.test_dataloader():
        asked.update(zip(batch.video.tolist(), batch.query_index.tolist(), strict=True))
        assert (batch.frame == batch.query_index).all()
    first = data.first_video("test")
    frames = [record.frames.num_frames for record in data.videos("test")]
    assert asked == {(first + video, frame): 1 for video, count in enumerate(frames) for frame in range(count)}


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_a_model_learns_from_it_through_lightning_with_workers(mode: Any) -> None:
    torch.manual_seed(0)
    data = ToyActions(mode=mode, short_memory=6, chunk=7, stride=2, batch_size=8, num_workers=1)
    probe = Probe()
    trainer(max_epochs=12, limit_val_batches=1).fit(probe, datamodule=data)
    batch = next(iter(data.train_dataloader()))
    right = probe.map(batch.frames[batch.sample, batch.anchor, 0]).argmax(1) == batch.label
    assert right.float().mean() > 0.75  # salt and sugar look alike
    assert len(set(probe.keys)) > 0.9 * sum(record.frames.num_frames for record in data.videos("train"))


def test_workers_give_the_batches_of_the_main_process() -> None:
    alone, helped = (ToyActions(batch_size=8, stride=2, num_workers=n).train_dataloader() for n in (0, 2))
    for loader in (alone, helped):
        loader.sampler.set_epoch(3)
    for one, other in zip(alone, helped, strict=True):
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_predict_gives_every_frame_once() -> None:
    data = ToyActions(batch_size=8, predict_split="val")
    parts = trainer().predict(Probe(), datamodule=data)
    keys = [key for video, ordinal in parts for key in zip(video.tolist(), ordinal.tolist(), strict=True)]
    assert len(keys) == len(set(keys)) == sum(record.frames.num_frames for record in data.videos("val"))


def test_a_training_video_is_held_out_where_there_is_no_validation_split() -> None:
    data = WithoutVal(num_videos=16, val_fraction=0.2)
    assert len(data.held_out) == 2
    assert {record.name for record in data.videos("val")} == set(data.held_out)
    assert not {record.name for record in data.videos("train")} & set(data.held_out)
    assert WithoutVal(num_videos=16, val_fraction=0.2, seed=9).held_out == data.held_out
    assert ToyActions(val_fraction=0.2).held_out == []


def test_without_hold_out_there_is_no_validation_loader() -> None:
    data = WithoutVal(val_fraction=0.0)
    assert data.val_dataloader() == []
    trainer(max_epochs=1).fit(Probe(), datamodule=data)


def test_a_checkpoint_remembers_what_was_held_out() -> None:
    data = WithoutVal(num_videos=16, val_fraction=0.2)
    data.load_state_dict(data.state_dict())
    with pytest.warns(UserWarning, match="held out .* may be of videos it was trained on"):
        WithoutVal(num_videos=16, val_fraction=0.5).load_state_dict(data.state_dict())


def frames(num_frames: int = 4, width: int = 2, tokens: int = 1, fps: float = 1.0, encoder: str = "e") -> ArrayFrames:
    return ArrayFrames(np.zeros((num_frames, tokens, width), dtype=np.float32), fps, encoder)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (frames(width=3), "'b' have width 3.*; 2 is expected"),
        (frames(tokens=2), "'b' have tokens_per_frame 2.*; 1 is expected"),
        (frames(fps=2.0), r"'b' have fps 2\.0.*; 1\.0 is expected"),
        (frames(encoder="f"), "'b' have encoder 'f'.*; 'e' is expected"),
        (frames(num_frames=0), "'b' hold no frame"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_features_of_another_kind_are_refused(split: Split, other: ArrayFrames, message: str) -> None:
    data = Listed()
    data.given = {"train": [VideoRecord("a", frames())], "val": [VideoRecord("c", frames())]}
    data.given[split] = [*data.given.get(split, []), VideoRecord("b", other)]
    with pytest.raises(DataError, match=message):
        data.setup("fit" if split == "train" else "test")


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_an_empty_split_is_refused(stage: str) -> None:
    data = Listed()
    data.given = {}
    with pytest.raises(DataError, match=r"split of Listed has no videos.*\n.*data\.root"):
        data.setup(stage)


def test_a_video_listed_twice_is_refused() -> None:
    data = Listed()
    data.given = {
        "train": [VideoRecord("a", frames()), VideoRecord("a", frames())],
        "val": [VideoRecord("b", frames())],
    }
    with pytest.raises(DataError, match="'a' stands 2 times in the train split"):
        data.setup("fit")


def test_a_class_without_training_example_only_warns() -> None:
    data = Listed()
    shown = [Segment(1, 0, 1)]
    data.given = {"train": [VideoRecord("a", frames(), shown)], "val": [VideoRecord("b", frames())]}
    with pytest.warns(UserWarning, match=r"6 of 8 classes have no training example: 'add sugar', .*\.\.\."):
        data.setup("fit")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"short_memory": 0}, r"data\.short_memory .* got 0"),
        ({"batch_size": 0}, r"data\.batch_size must be at least 1, got 0"),
        ({"eval_batch_size": -1}, r"data\.eval_batch_size .* got -1"),
        ({"num_workers": -1}, r"data\.num_workers cannot be negative, got -1"),
        ({"val_fraction": 1.0}, r"data\.val_fraction .* got 1\.0"),
        ({"background_limit": 0.0}, r"data\.background_limit .* got 0\.0"),
        ({"background_limit": 1.0, "mode": "one_pass"}, r"data\.background_limit .* one_pass"),
        ({"sampling": "published", "mode": "one_pass"}, r"data\.sampling published .* one_pass"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        _ = ToyActions(**settings).schema


class Noting(Probe):
    """Writes down the keys and steps of its process."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def setup(self, stage: str) -> None:
        """Compute in one thread: a forked process cannot use the pool that its parent started."""
        torch.set_num_threads(1)

    def on_train_epoch_end(self) -> None:
        """Note and forget the keys of an epoch."""
        note = {"keys": self.keys, "steps": self.global_step}
        (self.folder / f"{self.current_epoch}-{self.global_rank}.json").write_text(json.dumps(note))
        self.keys = []


def test_lightning_moves_the_frames_of_a_batch_and_leaves_its_integers() -> None:
    batch = next(iter(ToyActions(num_videos=8).train_dataloader()))
    moved = move_data_to_device(batch, torch.device("meta"))
    assert isinstance(moved, Batch)
    assert {name for name, part in moved._asdict().items() if part is not None and part.is_meta} == {"frames"}


def test_two_processes_train_in_step_and_meet_every_sample_once(tmp_path: Path) -> None:
    """Lightning's own distributed sampler is left switched on."""
    data = ToyActions(num_videos=16, batch_size=3, stride=2)
    trainer(max_epochs=2, devices=2, strategy="ddp_fork", num_sanity_val_steps=0).fit(Noting(tmp_path), datamodule=data)
    for epoch in range(2):
        notes = [json.loads((tmp_path / f"{epoch}-{rank}.json").read_text()) for rank in range(2)]
        assert notes[0]["steps"] == notes[1]["steps"]
        met = [tuple(key) for note in notes for key in note["keys"]]
        plan = data.dataset("train", training=True).plan(epoch)
        assert sorted(met) == sorted(zip(plan.video.tolist(), plan.row.tolist(), strict=True))
