"""Every dial of the simulated videos does what it says, and nothing else."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gad_lightning.cli import main
from gad_lightning.data.base import Split
from gad_lightning.data.benchmarks.annotation_files import read_json
from gad_lightning.data.benchmarks.epic_kitchens100 import EPICKitchens100
from gad_lightning.data.benchmarks.thumos14 import THUMOS14
from gad_lightning.data.records import timeline
from gad_lightning.data.simulated.dials import SimulatedDials, told_by_history
from gad_lightning.data.simulated.texts import made_names
from gad_lightning.data.simulated.timelines import SyntheticTimelines
from gad_lightning.errors import SettingError
from gad_lightning.schema import Task
from gad_lightning.types import IGNORED
from tests.data.official_roots import real_root

POSITIONS = (0.0, 0.25, 0.5, 0.75, 1.0)


def dials(source: Any = None, **settings: Any) -> SimulatedDials:
    """Sixty videos of 16 actions of 24 classes, unless told otherwise."""
    return SimulatedDials(source or SyntheticTimelines(), **settings)


def order_of(data: SimulatedDials, splits: tuple[Split, ...] = ("train", "val", "test")) -> list[list[int]]:
    """Classes of the actions of every video, in order."""
    return [[segment.label for segment in record.segments] for split in splits for record in data.annotated(split)]


def shared_words(names: list[str]) -> float:
    """Mean share of words that two names have in common."""
    words = [set(name.split()) for name in names]
    return float(np.mean([len(one & other) / len(one) for one, other in combinations(words, 2)]))


def information(pairs: list[tuple[int, int]]) -> float:
    """Mutual information of pairs in nats, by counting, less the bias of Miller and Madow."""
    both, first, second = Counter(pairs), Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    total = len(pairs)
    plain = sum(n / total * math.log(n * total / (first[one] * second[two])) for (one, two), n in both.items())
    return plain - (len(both) - len(first) - len(second) + 1) / (2 * total)


def nearest_mean(data: SimulatedDials) -> float:
    """Share of the test frames of actions whose nearest class mean of the training frames is their own."""
    shown: dict[Split, tuple[np.ndarray, np.ndarray]] = {}
    for split in ("train", "test"):
        records = data.records(split)
        labels = np.concatenate([data.shown(record) for record in records])
        frames = np.concatenate([record.frames.rows(np.arange(record.frames.num_frames))[:, 0] for record in records])
        shown[split] = labels[labels > 0], frames[labels > 0]
    labels, frames = shown["train"]
    classes = np.unique(labels)
    means = np.stack([frames[labels == index].mean(0) for index in classes])
    labels, frames = shown["test"]
    distance = ((frames[:, None] - means) ** 2).sum(2)
    return float((classes[distance.argmin(1)] == labels).mean())


def test_names_share_more_words_the_further_the_dial_is_turned() -> None:
    rising = [shared_words(made_names(24, 3, overlap, 0)) for overlap in POSITIONS]
    assert rising[0] == 0
    assert all(before < after for before, after in pairwise(rising))
    counts = Counter(word for name in made_names(24, 3, 1.0, 0) for word in name.split())
    assert min(counts.values()) >= 2


@pytest.mark.parametrize("overlap", POSITIONS)
@pytest.mark.parametrize(("num_classes", "words"), [(2, 1), (24, 1), (24, 3), (3806, 2)])
def test_names_are_distinct_and_equally_long(overlap: float, num_classes: int, words: int) -> None:
    names = made_names(num_classes, words, overlap, 1)
    assert len(set(names)) == num_classes
    assert {len(name.split()) for name in names} == {words}


def test_like_looks_are_as_like_as_asked_and_only_within_a_group() -> None:
    for similarity in POSITIONS:
        appearance = dials(similarity=similarity, width=1000).appearance
        looks, group = appearance.looks[:-1, 0], appearance.group
        alike = np.corrcoef(looks)
        same = (group[:, None] == group) & (group >= 0) & ~np.eye(len(group), dtype=bool)
        assert alike[same].mean() == pytest.approx(similarity, abs=0.03)
        assert np.abs(alike[~same & ~np.eye(len(group), dtype=bool)]).max() < 0.15
        assert looks.std(1) == pytest.approx(1.0, abs=0.1)
        assert sorted(Counter(group.tolist()).items()) == [(-1, 1), *((index, 4) for index in range(6))]


def test_frames_tell_actions_apart_less_the_more_alike_they_look() -> None:
    falling = [nearest_mean(dials(similarity=similarity, history=0.0, width=32, noise=2.0)) for similarity in POSITIONS]
    assert falling[0] > 0.7
    assert all(before > after for before, after in pairwise(falling))
    assert falling[-1] == pytest.approx(0.25, abs=0.08), "hardly more than one of four"


def test_actions_tell_as_much_of_the_next_one_as_asked() -> None:
    source = SyntheticTimelines(num_videos=400)
    pairs = {
        history: [pair for order in order_of(dials(source, history=history)) for pair in pairwise(order)]
        for history in POSITIONS
    }
    rising = [information(pairs[history]) for history in POSITIONS]
    assert rising == pytest.approx([told_by_history(history, 24) for history in POSITIONS], abs=0.05)
    for told in pairs.values():
        counts = np.array(list(Counter(after for _, after in told).values()))
        assert len(counts) == 24
        assert counts.min() > 0.7 * counts.mean(), "every action is about as frequent, wherever the dial stands"


def test_dials_leave_one_another_alone() -> None:
    plain, turned = dials(history=0.5), dials(history=0.5, overlap=1.0, similarity=1.0)
    assert order_of(plain) == order_of(turned)
    assert plain.class_names != turned.class_names
    one, other = dials(overlap=0.0, history=0.0), dials(overlap=1.0, history=1.0)
    assert (one.appearance.looks == other.appearance.looks).all()
    assert made_names(24, 3, 0.3, 0) == list(dials(overlap=0.3, similarity=0.7, history=0.2).class_names)[1:]


def test_without_history_the_actions_stay_as_annotated() -> None:
    source = SyntheticTimelines()
    assert order_of(dials(source)) == [
        [segment.label for segment in record.segments]
        for split in ("train", "val", "test")
        for record in source.records(split)
    ]


def test_timelines_keep_their_stretches_and_unscored_frames(shared: Path, tmp_path: Path) -> None:
    source = THUMOS14(real_root(shared, tmp_path, "thumos14"), features=None)
    data = dials(source, history=1.0, num_classes=8)
    assert len(data.class_names) == 8 + (len(source.class_names) - 20)
    theirs_laid = [timeline(record, source.tasks[0].labels) for record in source.records("test")]
    for ours, theirs in zip(data.dataset("test").timelines, theirs_laid, strict=True):
        assert (ours.segments[:, 1:] == theirs.segments[:, 1:]).all()
        assert ((ours.queries.label == IGNORED) == (theirs.queries.label == IGNORED)).all()
        for before, after in pairwise(ours.segments[:, 0].tolist()):
            assert data.successor[before] == after


def test_it_runs_on_the_timelines_of_epic_kitchens(shared: Path, tmp_path: Path) -> None:
    root = real_root(shared, tmp_path, "epic", without="train")
    (root / "EPIC_100_train.csv.gz").symlink_to(root / "EPIC_100_validation.csv.gz")
    info = read_json(root / "data_info.json.gz")["EK100"]
    info["train_session_set"] = info["test_session_set"]
    (root / "data_info.json").write_text(json.dumps({"EK100": info}))
    data = dials(EPICKitchens100(root, features=None, fps=1), history=0.5, num_classes=40, overlap=0.5, width=16)
    pairs = [pair for order in order_of(data, ("test",)) for pair in pairwise(order)]
    assert len(pairs) > 5000
    assert information(pairs) == pytest.approx(told_by_history(0.5, 40), abs=0.1)
    batch = next(iter(data.train_dataloader()))
    assert batch.frames.shape[2:] == (1, 16)


class TwoTasks(SyntheticTimelines):
    """Asked twice at every frame."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The same again."""
        return super().tasks * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"overlap": 1.5}, r"data\.overlap is a dial from 0 to 1, got 1\.5"),
        ({"history": -0.1}, r"data\.history is a dial from 0 to 1, got -0\.1"),
        ({"words": 0}, "must be at least 1"),
        ({"num_classes": 4}, r"data\.num_classes is 4, and without data\.history"),
        ({"source": TwoTasks()}, "a source with one task and one label a frame; TwoTasks has 2 tasks"),
    ],
)
def test_impossible_dials_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        _ = dials(**settings).schema


def test_a_config_sets_the_dials(tmp_path: Path) -> None:
    settings = {"overlap": 1.0, "similarity": 1.0, "history": 1.0, "num_classes": 6, "short_memory": 8}
    source = {"class_path": "gad_lightning.SyntheticTimelines", "init_args": {"num_videos": 5}}
    path = "gad_lightning.SimulatedDials"
    config = {
        "model": {
            "class_path": "gad_lightning.GADClassifier",
            "init_args": {"backbone": "gad_lightning.TinyBackbone", "order": "parallel"},
        },
        "data": {"class_path": path, "init_args": {"source": source, **settings}},
        "trainer": {"max_steps": 1, "accelerator": "cpu", "enable_progress_bar": False, "limit_val_batches": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    main(["fit", f"--config={tmp_path / 'config.yaml'}", f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    assert list(tmp_path.rglob("*.ckpt"))
