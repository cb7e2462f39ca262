"""COIN: the real annotations, the published frame ranges, and one classifier for three tasks."""

from __future__ import annotations

import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.benchmarks.annotation_files import read_json
from gad_lightning.data.benchmarks.coin import COIN, _clean_step, _split_words
from gad_lightning.data.sampling import BatchKey
from gad_lightning.data.simulated.features import SimulatedFeatures
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.prompts.prompt import Prompt
from tests.data.official_roots import real_root, write_features

QUESTIONS = {
    "step": "What is the action in the video?",
    "next": "What is the next action for the video?",
    "task": "What is the overall activity in the video?",
}


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> COIN:
    return COIN(real_root(shared, tmp_path_factory.mktemp("real"), "coin"), features=None)


def entry(subset: str, task: str, *steps: tuple[str, float, float], **region: float) -> dict[str, Any]:
    annotation = [{"id": "0", "label": label, "segment": [start, end]} for label, start, end in steps]
    return {"annotation": annotation, "class": task, "subset": subset, "duration": 20.0, **region}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two tasks that share a step; 41 frames, which is 20 s at 2 frames a second."""
    videos = {
        "a": entry("training", "MakeTea", ("boil water", 1, 3), ("add Tea", 3.2, 19.9), start=0.3, end=25.0),
        "b": entry("training", "MakeSoup", ("boil water", 0, 2), ("process (crop, fold) paper", 2, 4)),
        "c": entry("testing", "MakeTea", ("add Tea", 5, 6), ("boil water", 30, 40)),
    }
    (tmp_path / "COIN.json").write_text(json.dumps({"database": videos}))
    write_features(tmp_path / "features", dict.fromkeys("abc", 41))
    return tmp_path


def test_videos_segments_and_classes_of_the_official_file(real: COIN) -> None:
    assert [len(real.sessions(split)) for split in ("train", "val", "test")] == [7564, 0, 2797]
    assert sum(len(steps) for steps in real.steps.values()) == 40590
    numbers = {step["id"] for about in real.database.values() for step in about["annotation"]}
    assert len(numbers) == 778
    assert len(real.class_names) == 749
    assert len(real.goals) == 180
    for names in (real.class_names, real.goals):
        assert list(names) == sorted(names)
        assert all(name == name.lower() for name in names)


def test_files_can_be_joined(real: COIN) -> None:
    joined = COIN(real.root, features=None, annotations=("COIN.json", "COIN_rebuilt_train.json"))
    added = joined.database.keys() - real.database.keys()
    assert len(added) == 855
    assert sum(len(joined.steps[video]) for video in added) == 3240
    assert len(joined.sessions("train")) == 8419
    assert (joined.class_names, joined.goals) == (real.class_names, real.goals)
    assert all(joined.region(video)[0] == joined.steps[video][0].start for video in added)


def test_the_official_taxonomy_has_the_same_texts(real: COIN) -> None:
    spread = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(real.root / "taxonomy.xlsx") as book:
        strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
    texts = {"".join(part.text or "" for part in item.iter(f"{spread}t")) for item in strings}
    listed = {_clean_step(text) for text in texts} | {_split_words(text) for text in texts}
    assert set(real.goals) <= listed
    assert set(real.class_names) <= listed


def test_counts_are_those_of_the_provenance(real: COIN) -> None:
    stated = read_json(real.root / "provenance.json")["COIN.json.gz"]
    assert (stated["videos"], stated["segments"], stated["tasks"]) == (len(real.database), 40590, len(real.goals))


def test_published_questions_of_the_test_split(real: COIN) -> None:
    records = real.records("test")
    counts = np.bincount(np.concatenate([r.queries.task for r in records if r.queries is not None]))
    assert counts.tolist() == [10893, 10893 - 2797, 2797]


def test_frame_ranges_are_the_published_ones(real: COIN) -> None:
    """The published rule in its own terms: seconds first, frames after."""
    for record in real.records("test")[::40]:
        num_frames, about = record.frames.num_frames, real.database[record.name]
        duration = (num_frames - 1) / 2
        spans = [*(step["segment"] for step in about["annotation"]), (about["start"], about["end"])]
        seconds = [[min(max(math.ceil(time * 2) / 2, 0), duration) for time in span] for span in spans]
        expected = [(int(start * 2), int(end * 2) + 1) for start, end in seconds]
        assert record.queries is not None
        asked = zip(record.queries.first.tolist(), (record.queries.anchor + 1).tolist(), strict=True)
        found = [span for span, task in zip(asked, record.queries.task, strict=True) if task != 1]
        assert found == expected


def test_questions_about_one_video(root: Path) -> None:
    data = COIN(root)
    assert data.class_names == ["add tea", "boil water", "crop and fold paper"]
    assert data.goals == ["make soup", "make tea"]
    first, second = data.records("train")
    assert first.queries is not None
    columns = {name: getattr(first.queries, name).tolist() for name in first.queries._fields}
    assert columns == {
        "first": [2, 7, 2, 1],  # 1 s, 3.2 s, 1 s, 0.3 s
        "anchor": [6, 40, 6, 40],  # 3 s, 19.9 s, 3 s, beyond the end
        "task": [0, 0, 1, 2],
        "label": [1, 0, 0, 1],  # of the second step: its own class, and as what comes after the first
        "horizon": [0, 0, 1, 0],
    }
    assert (first.goal, second.goal) == (1, 0)
    (test,) = data.records("test")
    assert test.queries is not None
    assert test.queries.first[1] == test.queries.anchor[1] == 40, "a step after the end shows the last frame"


def test_step_and_next_share_a_head(root: Path) -> None:
    schema = COIN(root, val_fraction=0).schema
    assert [task.name for task in schema.tasks] == ["step", "next", "task"]
    assert not any(task.per_frame for task in schema.tasks)
    assert schema.head_of_task == [0, 0, 1]
    assert [len(labels.names) for labels in schema.label_sets] == [3, 2]


def test_every_question_once_an_epoch_and_all_frames_of_its_clip(root: Path) -> None:
    data = COIN(root, val_fraction=0)
    samples = data.dataset("train", training=True)
    assert len(samples) == 4 + 4
    batch = samples[1]
    assert (batch.first_frame.item(), batch.frame_counts.item(), batch.anchor.item()) == (7, 34, 33)


@pytest.mark.parametrize(("rule", "last"), [("even", 40), ("first", 16)])
def test_long_clips_are_thinned_or_cut(root: Path, rule: Any, last: int) -> None:
    data = COIN(root, val_fraction=0, short_memory=10, long_clips=rule)
    batch = data.dataset("train", training=True)[1]
    assert batch.frame_counts.item() == 10
    assert (batch.first_frame.item(), batch.frame.item()) == (7, last)


@pytest.mark.parametrize(("asked", "heads"), [(["task"], 1), (["next", "task"], 2), (["task", "step"], 2)])
def test_some_of_the_tasks(root: Path, asked: Any, heads: int) -> None:
    data = COIN(root, tasks=asked, val_fraction=0)
    assert len(data.schema.label_sets) == heads
    batch = data.dataset("train", training=True)[0]
    assert batch.label.item() < len(data.schema.tasks[int(batch.task)].labels.names)


@pytest.mark.parametrize("asked", [[], ["steps"]])
def test_unknown_tasks_are_refused(root: Path, asked: Any) -> None:
    with pytest.raises(SettingError, match=re.escape("choose one or more of step, next, task")):
        _ = COIN(root, tasks=asked).schema


def test_nothing_there_is_refused_with_the_source(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"COIN.json(.|\n)*github.com/coin-dataset"):
        COIN(tmp_path).records("train")


@pytest.mark.parametrize(("text", "match"), [("{", "is no JSON"), ("{}", "has no entry 'database'")])
def test_a_file_that_is_not_the_official_one_is_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "COIN.json").write_text(text)
    with pytest.raises(DataError, match=match):
        COIN(tmp_path).records("train")


def test_one_classifier_learns_all_three_tasks(root: Path) -> None:
    """A head per label set, chosen by the query's task, with a question per task."""
    data = SimulatedFeatures(
        COIN(root, features=None), width=8, noise=0.3, short_memory=41, stride=1, val_fraction=0, batch_size=4
    )
    torch.manual_seed(0)
    classifier = GADClassifier(
        backbone=TinyBackbone(hidden_size=32, num_layers=1),
        schema=data.schema,
        prompt=Prompt(question=QUESTIONS),
        optimizer=lambda weights: torch.optim.AdamW(weights, lr=3e-3),
        schedule="constant",
    )
    assert len(classifier.heads) == 2
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    Trainer(max_epochs=30, enable_model_summary=False, **quiet).fit(classifier, datamodule=data)
    samples = data.dataset("train", training=True)
    batch = samples[BatchKey(0, tuple(range(len(samples))))]
    assert sorted(set(batch.task.tolist())) == [0, 1, 2]
    with torch.no_grad():
        predicted = classifier.eval().scores(batch)
    assert predicted.label.tolist() == batch.label.tolist()
    sizes = torch.isfinite(predicted.scores).sum(1)
    assert sizes.tolist() == [3 if task < 2 else 2 for task in batch.task.tolist()]
