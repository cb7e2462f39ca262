"""Ego4D Goal-Step: the real files, step texts without their groups, steps inside steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gad_lightning.data.benchmarks.ego4d_goalstep import Ego4DGoalStep
from gad_lightning.errors import MissingDataError
from gad_lightning.types import IGNORED
from tests.data.official_roots import real_root, write_features


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_root(shared, tmp_path_factory.mktemp("real"), "goalstep")


def segment(category: str, start: float, end: float, *inside: dict[str, Any]) -> dict[str, Any]:
    return {"step_category": category, "start_time": start, "end_time": end, "segments": list(inside)}


def video(name: str, *segments: dict[str, Any]) -> dict[str, Any]:
    return {"video_uid": name, "end_time": 6.0, "goal_category": "COOKING:MAKE_TEA", "segments": list(segments)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A step with a step inside, in another class list order than time order."""
    inside = segment("General activity: Add tea", 2, 3)
    train = [video("a", segment("Boil: Boil water", 1, 5, inside)), video("b", segment("Boil: Boil water", 0, 2))]
    files = {"train": train, "valid": [video("c", segment("Stir: Stir", 0, 2))], "test": [{"video_uid": "d"}]}
    for part, videos in files.items():
        (tmp_path / f"goalstep_{part}.json").write_text(json.dumps({"videos": videos}))
    write_features(tmp_path / "features" / "dinov2-giant", dict.fromkeys("abcd", 6))
    return tmp_path


def test_videos_steps_and_substeps_of_the_validation_file(real: Path) -> None:
    data = Ego4DGoalStep(real, features=None)
    assert len(data.parts["val"]) == len(data.sessions("test")) == 134
    assert sum(len(about["segments"]) for about in data.parts["val"]) == 3349
    assert sum(len(data.annotations[name].segments) for name in data.sessions("test")) == 7696
    assert len({step.label for name in data.sessions("test") for step in data.annotations[name].segments}) == 425


def test_the_class_list_has_422_of_the_425_texts_and_the_rest_is_not_scored(real: Path) -> None:
    data = Ego4DGoalStep(real, features=None)
    with pytest.warns(UserWarning, match="lacks 'prepare carrot', 'prepare cucumber', 'prepare green bean'"):
        records = data.records("test")
    assert len(data.class_names) == 512
    assert data.class_names[1:] == sorted(data.class_names[1:])
    assert sum(part.label == IGNORED for record in records for part in record.segments) == 4


def test_splits_goals_and_groups(real: Path) -> None:
    data = Ego4DGoalStep(real, features=None)
    assert [len(data.sessions(split)) for split in ("train", "val", "test")] == [583, 0, 134]
    assert len(data.goals) == 86
    annotated = {data.annotations[name].goal for name in data.sessions("test")}
    assert annotated <= set(data.goals)
    assert len(annotated) == 43
    assert set(data.groups.values()) <= set(data.groups)


def test_test_videos_are_listed_and_nothing_of_them_is_scored(real: Path) -> None:
    data = Ego4DGoalStep(real, features=None, test_on="test")
    records = data.records("test")
    assert len(records) == 134
    assert {part.label for record in records for part in record.segments} == {IGNORED}


def test_missing_training_labels_are_refused_with_the_tree(real: Path) -> None:
    with pytest.raises(MissingDataError, match=r"583 of the 583 train(.|\n)*goalstep_train.json: .*MISSING"):
        Ego4DGoalStep(real, features=None).records("train")


def test_steps_and_substeps_share_frames_and_the_lower_class_is_the_label(root: Path) -> None:
    data = Ego4DGoalStep(root, val_fraction=0, standardize=False)
    assert data.class_names == ["background", "add tea", "boil water", "stir"]
    assert data.goals == ["make tea"]
    assert data.dataset("train").timelines[0].queries.label.tolist() == [0, 2, 1, 2, 2, 0]
    assert data.dataset("test").timelines[0].queries.label.tolist() == [3, 3, 0, 0, 0, 0]


def test_unlabeled_test_videos_are_scored_nowhere(root: Path) -> None:
    data = Ego4DGoalStep(root, test_on="test", val_fraction=0, standardize=False)
    assert data.dataset("test").timelines[0].queries.label.tolist() == [IGNORED] * 6


def test_nothing_there_is_refused_with_the_source(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"goalstep_train.json(.|\n)*facebookresearch/ego4d-goalstep"):
        Ego4DGoalStep(tmp_path).records("train")
