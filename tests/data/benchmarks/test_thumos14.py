"""THUMOS'14: the real files, and every rule on a few made lines."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.benchmarks.thumos14 import THUMOS14, UNSCORABLE
from gad_lightning.data.records import timeline
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.types import IGNORED
from tests.data.official_roots import real_root, write_features, write_lines

TRAIN, TEST = "video_validation_0000001", "video_test_0000001"


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_root(shared, tmp_path_factory.mktemp("real"), "thumos14")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One training and one test video of 10 s: a dive, a cliff dive inside it, and doubt over part of both."""
    for part, video in (("val", TRAIN), ("test", TEST)):
        folder = tmp_path / f"annotations_{part}"
        write_lines(folder / f"Diving_{part}.txt", f"{video}  1.0 5.0")
        write_lines(folder / f"CliffDiving_{part}.txt", f"{video} 2.0 3.0", "")
        write_lines(folder / f"Ambiguous_{part}.txt", f"{video} 4.0 6.0")
    write_features(tmp_path / "rgb_kinetics_resnet50", {TRAIN: 40, TEST: 40})
    return tmp_path


def labels(data: THUMOS14, split: str) -> list[str]:
    """What every second of the only video of a split is."""
    classes = data.tasks[0].labels
    frames = timeline(data.records(split)[0], classes).queries.label
    return ["-" if label == IGNORED else classes.names[label] for label in frames[::4].tolist()]


def test_videos_and_segments_are_those_of_the_challenge(real: Path) -> None:
    data = THUMOS14(real, features=None)
    train, test = data.records("train"), data.records("test")
    assert (len(train), len(data.records("val")), len(test)) == (200, 0, 213)
    assert [sum(len(record.segments) for record in part) for part in (train, test)] == [3096, 3457]
    ambiguous = data.class_names.index("ambiguous")
    clear = [[s for record in part for s in record.segments if s.label != ambiguous] for part in (train, test)]
    assert [len(part) for part in clear] == [3007, 3358]


def test_212_test_videos_can_be_scored(real: Path) -> None:
    scorable = THUMOS14(real, features=None, test_videos="scorable").sessions("test")
    assert len(scorable) == 212
    assert set(THUMOS14(real, features=None).sessions("test")) - set(scorable) == {UNSCORABLE}


def test_classes_are_those_of_the_published_head_cleaned_by_the_published_rule(real: Path, shared: Path) -> None:
    stored = json.loads((shared / "golden" / "windows_public" / "label_cleaning.json").read_text())
    names = THUMOS14(real, features=None).class_names
    assert names == [after for _, after in stored["datasets"]["THUMOS"]["changed"]]
    assert (len(names), names[0], names[21]) == (22, "background", "ambiguous")


def test_without_data_info_classes_and_videos_are_the_same(real: Path, shared: Path, tmp_path: Path) -> None:
    bare = THUMOS14(real_root(shared, tmp_path, "thumos14", info=False), features=None)
    data = THUMOS14(real, features=None)
    assert bare.info is None
    assert bare.class_names == data.class_names
    assert [set(bare.sessions(split)) for split in ("train", "test")] == [
        set(data.sessions(split)) for split in ("train", "test")
    ]


def test_the_corrected_json_files_say_the_same_but_for_the_ambiguous_video(
    real: Path, shared: Path, tmp_path: Path
) -> None:
    other = THUMOS14(real_root(shared, tmp_path, "thumos14", without=".tar"), features=None).annotations
    texts = THUMOS14(real, features=None).annotations
    assert set(texts) - set(other) == {UNSCORABLE}
    assert all(sorted(other[video].segments) == sorted(texts[video].segments) for video in other)


def test_a_cliff_dive_is_the_lower_of_its_classes_and_doubt_is_not_scored(root: Path) -> None:
    data = THUMOS14(root)
    expected = ["background", "diving", "cliff diving", "diving", "-", "-", "background"]
    assert labels(data, "train")[:7] == labels(data, "test")[:7] == expected
    assert data.tasks[0].labels.ignore == data.class_names.index("ambiguous")


def test_the_published_rule_trains_on_doubt_and_ignores_it_at_test(root: Path) -> None:
    data = THUMOS14(root, ambiguous="published")
    assert labels(data, "train")[3:7] == ["diving", "diving", "ambiguous", "background"]
    assert labels(data, "test")[3:7] == ["diving", "-", "-", "background"]
    assert data.tasks[0].labels.ignore is None


@pytest.mark.parametrize("ambiguous", ["ignored", "published"])
def test_per_frame_arrays_give_the_labels_of_the_annotations(root: Path, ambiguous: str) -> None:
    wanted = [labels(THUMOS14(root, ambiguous=ambiguous), split) for split in ("train", "test")]
    names = THUMOS14(root).class_names
    rows = np.zeros((40, len(names)), dtype=np.float32)
    for name, start, end in (("diving", 1, 5), ("cliff diving", 2, 3), ("ambiguous", 4, 6)):
        rows[4 * start : 4 * end, names.index(name)] = 1
    rows[~rows.any(1), 0] = 1
    (root / "target_perframe").mkdir()
    for video in (TRAIN, TEST):
        np.save(root / "target_perframe" / f"{video}.npy", rows)
    for folder in ("annotations_val", "annotations_test"):  # the arrays alone must do
        for path in (root / folder).iterdir():
            path.unlink()
    info = {"class_names": names, "fps": 4, "train_session_set": [TRAIN], "test_session_set": [TEST]}
    (root / "data_info.json").write_text(json.dumps({"THUMOS": info}))
    for _ in range(2):  # summed up, then taken from what was kept
        data = THUMOS14(root, ambiguous=ambiguous)
        assert [labels(data, split) for split in ("train", "test")] == wanted
        assert data.classes_per_frame(data.records("test")[0])[::4].tolist() == [0, 1, 2, 1, 2, 1, 0, 0, 0, 0]
    assert len(list((root / "target_perframe").glob("labels-*.npz"))) == 1


def test_all_labels_of_a_frame_are_kept_on_demand(root: Path) -> None:
    data = THUMOS14(root, multi_label=True)
    rows = data.records("test")[0].labels
    assert rows is not None
    shown = {data.class_names[index] for index in np.flatnonzero(rows[10])}
    assert shown == {"diving", "cliff diving"}
    laid = timeline(data.records("test")[0], data.tasks[0].labels)
    assert (laid.queries.label[16] == IGNORED).all()


def test_archives_are_read_as_they_are_downloaded(root: Path, tmp_path: Path) -> None:
    wanted = THUMOS14(root).annotations
    with zipfile.ZipFile(root / "validation.zip", "w") as packed:
        for path in sorted((root / "annotations_val").iterdir()):
            packed.write(path, f"TH14_Temporal_annotations_validation/annotation/{path.name}")
            path.unlink()
    with tarfile.open(root / "test.tar.gz", "w:gz") as opened:
        for path in sorted((root / "annotations_test").iterdir()):
            opened.add(path, f"annotations_test/{path.name}")
            path.unlink()
    assert THUMOS14(root).annotations == wanted


def test_two_folders_of_features_are_put_side_by_side(root: Path) -> None:
    write_features(root / "flow", {TRAIN: 40, TEST: 40}, width=2)
    data = THUMOS14(root, features=["rgb_kinetics_resnet50", "flow"], val_fraction=0)
    assert data.schema.features.width == 5


def test_nothing_there_is_refused_with_the_tree_and_the_source(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"annotations_val(.|\n)*crcv.ucf.edu(.|\n)*MISSING"):
        THUMOS14(tmp_path).records("train")


def test_missing_features_are_refused_or_left_out(root: Path) -> None:
    write_lines(root / "annotations_test" / "HighJump_test.txt", "video_test_0000002 1 2")
    with pytest.raises(MissingDataError, match=r"1 of the 2 test videos(.|\n)*data.leave_out_missing"):
        THUMOS14(root).records("test")
    with pytest.warns(UserWarning, match="video_test_0000002.npy. They are left out"):
        assert len(THUMOS14(root, leave_out_missing=True).records("test")) == 1


def test_a_broken_line_is_named(root: Path) -> None:
    write_lines(root / "annotations_test" / "HighJump_test.txt", "video_test_0000002 1,0 2,0")
    with pytest.raises(DataError, match=r"HighJump_test.txt has the line 'video_test_0000002 1,0 2,0'"):
        THUMOS14(root).records("test")


def test_arrays_of_another_release_are_refused(root: Path) -> None:
    (root / "target_perframe").mkdir()
    for video in (TRAIN, TEST):
        np.save(root / "target_perframe" / f"{video}.npy", np.zeros((40, 31), dtype=np.float32))
    with pytest.raises(DataError, match="31 classes, and the class list 4"):
        THUMOS14(root).records("test")


def test_annotations_alone_can_be_counted_but_not_trained_on(root: Path) -> None:
    data = THUMOS14(root, features=None, val_fraction=0)
    assert data.records("test")[0].frames.num_frames == 24  # the last segment ends after 6 s
    with pytest.raises(MissingDataError, match="SimulatedFeatures"):
        _ = data.schema


def test_statistics_are_of_all_folders_of_features(root: Path) -> None:
    write_features(root / "flow", {TRAIN: 40, TEST: 40}, width=2)
    alone = THUMOS14(root, val_fraction=0).schema.features
    both = THUMOS14(root, features=["rgb_kinetics_resnet50", "flow"], val_fraction=0).schema.features
    assert len(alone.mean or ()) == 3
    assert len(both.mean or ()) == 5


@pytest.mark.parametrize("mode", ["window", "one_pass"])
@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_classifiers_with_a_head_learn_several_labels_a_frame(kind: type[Classifier], mode: Any, root: Path) -> None:
    data = THUMOS14(root, multi_label=True, short_memory=8, long_memory=0, mode=mode, batch_size=4, val_fraction=0)
    torch.manual_seed(0)
    classifier = kind(schema=data.schema, backbone=TinyBackbone(hidden_size=16, num_layers=1))
    batch = next(iter(data.train_dataloader()))
    assert batch.label.ndim == 2
    first = classifier.losses(batch)
    for loss in first.values():
        assert loss.sum.isfinite()
        assert float(loss.count) > 0
    sum(loss.sum for loss in first.values()).backward()
    unknown = batch._replace(label=torch.full_like(batch.label, IGNORED))
    assert all(float(loss.sum) == float(loss.count) == 0 for loss in classifier.losses(unknown).values())
