"""EPIC-KITCHENS-100: the real tables, the order of its 3,806 actions, partial tables."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from gad_lightning.data.benchmarks.annotation_files import read_table
from gad_lightning.data.benchmarks.class_names import clean_name
from gad_lightning.data.benchmarks.epic_kitchens100 import EPICKitchens100
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.types import IGNORED
from tests.data.official_roots import real_root, write_features, write_lines

PARTIAL = ("EPIC_100_train_partial.csv", "EPIC_100_uda_target_train_timestamps.csv")
HEADER = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class"


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_root(shared, tmp_path_factory.mktemp("real"), "epic")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two kitchens with three verbs and two nouns, one frame a second."""
    write_lines(tmp_path / "EPIC_100_verb_classes.csv", "id,key", "0,take", "1,put", "2,wash")
    write_lines(tmp_path / "EPIC_100_noun_classes.csv", "id,key", "0,tap", "1,wrap:plastic")
    train = ("P01_01,00:00:01.00,00:00:03.00,2,0", "P02_01,00:00:00.00,00:00:02.00,0,1")
    write_lines(tmp_path / "EPIC_100_train.csv", HEADER, *train)
    write_lines(
        tmp_path / "EPIC_100_validation.csv",
        HEADER,
        "P03_01,00:00:00.00,00:00:04.00,2,0",
        "P03_01,00:00:02.00,00:00:05.00,0,1",
    )
    names = {"P01_01": 6, "P02_01": 6, "P03_01": 6}
    write_features(tmp_path / "rgb_kinetics_bninception", names)
    return tmp_path


def test_the_validation_table_is_complete_and_its_videos_are_the_published_ones(real: Path) -> None:
    data = EPICKitchens100(real, features=None)
    records = data.records("test")
    assert len(records) == 138
    assert sum(len(record.segments) for record in records) == 9668
    assert sorted(data.official_sessions("test")) == sorted(data.sessions("test"))
    assert sum(record.frames.num_frames for record in records) / 4 / 3600 == pytest.approx(13.2, abs=0.01)


def test_the_order_of_the_published_head_follows_from_the_tables(real: Path) -> None:
    data = EPICKitchens100(real, features=None)
    assert data.info is not None
    assert len(data.class_names) == 3807
    assert [name for name in data.info.class_names if clean_name(name) != name] == ["Background"]
    numbers = {
        f"{verb} {noun}": f"{v}_{n}" for v, verb in enumerate(data.keys[0]) for n, noun in enumerate(data.keys[1])
    }
    published = [numbers[name] for name in data.class_names[1:]]
    assert published == sorted(published)


def test_what_can_be_worked_out_of_a_partial_table_is_in_published_order(
    real: Path, shared: Path, tmp_path: Path
) -> None:
    root = real_root(shared, tmp_path, "epic", info=False)
    with pytest.warns(UserWarning, match="2778 actions and not 3806"):
        names = EPICKitchens100(root, features=None, train_files=PARTIAL).class_names
    published = EPICKitchens100(real, features=None).class_names
    listed = set(published)
    assert [name for name in published if name in set(names)] == [name for name in names if name in listed]
    assert set(names) - listed == {"eat chilli", "sort lid"}


def test_partial_training_tables_leave_unlabeled_segments_out_of_the_loss(real: Path) -> None:
    data = EPICKitchens100(real, features=None, train_files=PARTIAL, leave_out_missing=True)
    assert [len(data.rows[split]) for split in ("train", "test")] == [31008 + 26115, 9668]
    with pytest.warns(UserWarning, match=r"94 of the 495 train videos|lacks 'eat chilli', 'sort lid'"):
        records = data.records("train")
    assert len(records) == 401
    unlabeled = sum(segment.label == IGNORED for record in records for segment in record.segments)
    assert unlabeled == 26115 + 2


def test_other_official_tables_have_the_rows_they_should(shared: Path) -> None:
    folder = shared / "data" / "annotations" / "epic-kitchens-100"
    tables = {
        "EPIC_100_test_timestamps.csv.gz": "video_id",
        "EPIC_100_verb_classes.csv": "key",
        "EPIC_100_noun_classes.csv": "key",
        "EPIC_100_tail_verbs.csv": "verb",
        "EPIC_100_tail_nouns.csv": "noun",
        "EPIC_100_video_info.csv": "duration",
    }
    counts = {name: len(read_table(folder / name, (column,))) for name, column in tables.items()}
    assert counts["EPIC_100_verb_classes.csv"] == 97
    assert counts["EPIC_100_noun_classes.csv"] == 300
    assert counts["EPIC_100_video_info.csv"] == 700
    with gzip.open(folder / "EPIC_100_test_timestamps.csv.gz", "rt") as file:
        assert len({row["video_id"] for row in csv.DictReader(file)}) == 67


def test_a_frame_with_two_actions_has_the_lower_class(root: Path) -> None:
    data = EPICKitchens100(root, fps=1, standardize=False)
    with pytest.warns(UserWarning, match="2 actions and not 3806"):
        names = data.class_names
    assert names == ["background", "take wrap:plastic", "wash tap"]
    assert data.dataset("test").timelines[0].queries.label.tolist() == [2, 2, 1, 1, 1, 0]
    assert data.classes_per_frame(data.records("test")[0]).tolist() == [1, 1, 2, 2, 1, 0]


def test_a_kitchen_is_a_group(root: Path) -> None:
    data = EPICKitchens100(root, fps=1)
    with pytest.warns(UserWarning, match="not 3806"):
        assert data.held_out in (["P01"], ["P02"])


def test_evaluation_needs_the_validation_table_alone_where_the_class_list_is_given(root: Path) -> None:
    names = ["Background", "take wrap:plastic", "wash tap"]
    info = {"class_names": names, "fps": 1, "train_session_set": ["P01_01"], "test_session_set": ["P03_01"]}
    (root / "data_info.json").write_text(json.dumps({"EK100": info}))
    (root / "EPIC_100_train.csv").unlink()
    data = EPICKitchens100(root)
    assert len(data.records("test")) == 1
    with pytest.raises(MissingDataError, match=r"an annotation of P01_01(.|\n)*EPIC_100_train.csv: .*MISSING"):
        data.records("train")


def test_a_missing_table_is_refused_with_the_tree(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"EPIC_100_train.csv(.|\n)*epic-kitchens-100-annotations(.|\n)*MISSING"):
        EPICKitchens100(tmp_path).records("train")


def test_a_table_without_its_header_and_a_broken_time_are_refused(root: Path) -> None:
    write_lines(root / "EPIC_100_validation.csv", "P03_01,00:00:00.00,00:00:04.00,2,0")
    with pytest.raises(DataError, match=r"EPIC_100_validation.csv has no column 'video_id'"):
        EPICKitchens100(root).records("test")
    write_lines(root / "EPIC_100_validation.csv", HEADER, "P03_01,0.0,4.0,2,0")
    with pytest.raises(DataError, match=r"'0\.0' is no time like"):
        EPICKitchens100(root).records("test")
