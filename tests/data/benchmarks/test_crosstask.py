"""CrossTask: the real release, its splits and its discarded videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gad_lightning.data.benchmarks.class_names import clean_name
from gad_lightning.data.benchmarks.crosstask import DISCARDED, CrossTask
from gad_lightning.errors import DataError, MissingDataError
from tests.data.official_roots import real_root, write_features, write_lines


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_root(shared, tmp_path_factory.mktemp("real"), "crosstask")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two tasks that share a step, three videos."""
    release = tmp_path / "crosstask_release"
    tea, soup = (
        ("7", "Make Tea", "url", "2", "pour water,add tea"),
        ("9", "Make Soup", "url", "2", "add salt,pour water"),
    )
    write_lines(release / "tasks_primary.txt", *tea, "", *soup, "")
    write_lines(release / "videos_val.csv", "9,c,url")
    write_lines(release / "annotations" / "7_a.csv", "1,0.5,2.0", "2,2.0,4.5")
    write_lines(release / "annotations" / "7_b.csv", "1,1,2")
    write_lines(release / "annotations" / "9_c.csv", "2,0,3", "1,2,4")
    write_features(tmp_path / "vitg14_rgb_fps1_h224_w224", {"a": 6, "b": 6, "c": 6})
    return tmp_path


def test_videos_segments_and_tasks_of_the_release(real: Path) -> None:
    data = CrossTask(real, features=None)
    assert len(data.annotations) == 2750
    assert sum(len(about.segments) for about in data.annotations.values()) == 20919
    assert len(data.primary_tasks) == len(data.goals) == 18
    assert sum(len(task.steps) for task in data.primary_tasks.values()) == 133


def test_published_split_and_discarded_videos(real: Path) -> None:
    counts = {
        rule: tuple(len(CrossTask(real, features=None, discarded=rule).sessions(split)) for split in ("train", "test"))
        for rule in ("nowhere", "test", "everywhere")
    }
    assert counts == {"nowhere": (2193, 557), "test": (2193, 552), "everywhere": (2176, 552)}
    assert len(set(DISCARDED)) == 22
    records = CrossTask(real, features=None).records("test")
    assert len(records) == 552
    assert {record.goal for record in records} == set(range(18))


def test_official_split(real: Path) -> None:
    data = CrossTask(real, features=None, split="official", discarded="nowhere")
    assert [len(data.sessions(split)) for split in ("train", "val", "test")] == [2390, 0, 360]


def test_the_order_of_the_tasks_file_is_that_of_the_published_head(real: Path, shared: Path) -> None:
    data = CrossTask(real, features=None)
    assert data.info is not None
    assert data.official_names() == data.class_names
    assert len(data.class_names) == 106
    stored = json.loads((shared / "golden" / "windows_public" / "label_cleaning.json").read_text())
    assert [[name, clean_name(name)] for name in data.info.class_names if clean_name(name) != name] == stored[
        "datasets"
    ]["CrossTask"]["changed"]


def test_odd_strings_are_cleaned_by_the_published_rule(shared: Path) -> None:
    stored = json.loads((shared / "golden" / "windows_public" / "label_cleaning.json").read_text())
    rule = stored["CrossTask_rule_on_odd_strings"]
    assert {name: clean_name(name) for name in rule} == rule


def test_steps_of_two_tasks_with_one_text_are_one_class(root: Path) -> None:
    data = CrossTask(root, split="official", standardize=False)
    assert data.class_names == ["background", "pour water", "add tea", "add salt"]
    (record,) = data.records("test")
    assert (record.name, data.goals[record.goal]) == ("c", "Make Soup")
    laid = data.dataset("test").timelines[0]
    assert laid.queries.label.tolist() == [1, 1, 1, 3, 0, 0]  # the lower class where two overlap


def test_the_published_split_needs_its_file(root: Path) -> None:
    with pytest.raises(MissingDataError, match=r"data.split: official(.|\n)*pangzhan27/GAD"):
        CrossTask(root).records("train")


@pytest.mark.parametrize("row", ["3,1,2", "0,1,2", "1,x,2", "1,2"])
def test_a_row_that_is_no_step_of_the_task_is_refused(root: Path, row: str) -> None:
    write_lines(root / "crosstask_release" / "annotations" / "7_d.csv", row)
    with pytest.raises(DataError, match=f"7_d.csv has the row '{row}'; expected a step from 1 to 2"):
        CrossTask(root, split="official").records("train")


def test_a_class_list_of_another_data_set_is_refused(root: Path) -> None:
    info = {"class_names": ["Background", "HighJump"], "fps": 1, "train_session_set": ["a"], "test_session_set": ["c"]}
    (root / "data_info.json").write_text(json.dumps({"CrossTask": info}))
    with pytest.raises(DataError, match="0 of the 3 classes"):
        CrossTask(root).records("train")


def test_a_file_of_tasks_that_is_cut_short_is_refused(root: Path) -> None:
    write_lines(root / "crosstask_release" / "tasks_primary.txt", "7", "Make Tea", "url")
    with pytest.raises(DataError, match="fewer than five lines"):
        CrossTask(root, split="official").records("train")


def test_the_official_split_needs_its_file(root: Path) -> None:
    (root / "crosstask_release" / "videos_val.csv").unlink()
    with pytest.raises(MissingDataError, match=r"videos_val\.csv"):
        CrossTask(root, split="official").records("train")


def test_a_release_that_does_not_state_its_rate_has_the_published_one(root: Path) -> None:
    info = {"class_names": ["BackGround", "pour water", "add tea", "add salt"]}
    sessions = {"train_session_set": ["a", "b"], "test_session_set": ["c"]}
    (root / "data_info.json").write_text(json.dumps(info | sessions))
    data = CrossTask(root)
    assert (data.rate, CrossTask(root, fps=2).rate) == (1.0, 2.0)
    assert [record.name for record in data.records("train")] == ["a", "b"]


def test_a_list_without_the_data_set_is_refused(root: Path) -> None:
    (root / "data_info.json").write_text(json.dumps({"THUMOS": {}}))
    with pytest.raises(DataError, match="says nothing of CrossTask: it has THUMOS"):
        CrossTask(root).records("train")
