"""The toy data: small, the same everywhere, and hard in one way only."""

from __future__ import annotations

import time

import numpy as np
import torch

from gad_lightning.data.toy import ToyActions


def test_it_is_the_same_every_time() -> None:
    one, other = (next(iter(ToyActions(batch_size=4).train_dataloader())) for _ in range(2))
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_is_ready_in_no_time() -> None:
    start = time.process_time()
    data = ToyActions()
    data.setup("fit")
    next(iter(data.train_dataloader()))
    assert time.process_time() - start < 1.0


def test_every_split_has_videos_and_training_has_every_class() -> None:
    data = ToyActions()
    assert [len(data.videos(split)) for split in ("train", "val", "test")] == [4, 2, 2]
    present = np.unique(np.concatenate([laid.queries.label for laid in data.dataset("train").timelines]))
    assert present.tolist() == list(range(8))
    assert {record.goal for record in data.videos("train")} == {0, 1}


def test_sugar_and_salt_look_alike_and_the_rest_does_not() -> None:
    data = ToyActions(num_videos=40, noise=0.0)
    seen: dict[str, set[bytes]] = {}
    for record, laid in zip(data.videos("train"), data.dataset("train").timelines, strict=True):
        for frame, label in enumerate(laid.queries.label.tolist()):
            seen.setdefault(data.class_names[label], set()).add(record.frames.rows(np.array([frame])).tobytes())
    assert all(len(looks) == 1 for looks in seen.values())
    assert seen["add sugar"] == seen["add salt"]
    assert len(set.union(*seen.values())) == 7


def test_frames_can_have_several_tokens() -> None:
    batch = next(iter(ToyActions(tokens_per_frame=3, width=5, batch_size=2).train_dataloader()))
    assert batch.frames.shape[2:] == (3, 5)
