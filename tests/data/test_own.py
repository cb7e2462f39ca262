"""Your own data: the folder, the CSV files, and everything that can be wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.errors import DataError, GadError, MissingDataError
from gad_lightning.types import IGNORED
from tests.data.own_folder import SEGMENTS, VIDEOS, labels, own, write_own


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five videos of 10 frames at 2 a second, e without a segment."""
    return write_own(tmp_path)


def test_a_frame_has_the_label_of_the_segment_at_its_time(root: Path) -> None:
    data = own(root)
    assert data.class_names == ["background", "pour", "stir"]
    assert labels(data, "train") == [0, 0, 2, 2, 0, 0, 1, 1, 1, 0]
    assert data.schema.features.fps == 2.0
    assert data.schema.features.width == 3


def test_splits_goals_and_groups_come_from_videos_csv(root: Path) -> None:
    data = own(root)
    assert [record.name for record in data.videos("test")] == ["d", "e"]
    assert data.schema.goals == ("make soup", "make tea")
    assert [record.goal for record in data.videos("test")] == [-1, 0]
    assert [record.group for record in data.videos("train")] == ["kim", "kim"]


def test_a_video_without_segments_is_background(root: Path) -> None:
    assert labels(own(root), "test", video=1) == [0] * 10


def test_without_videos_csv_all_are_for_training_and_one_is_held_out(root: Path) -> None:
    (root / "videos.csv").unlink()
    data = own(root, val_fraction=0.25)
    assert len(data.videos("train")) == 3
    assert [record.name for record in data.videos("val")] == data.held_out
    assert data.videos("test") == []


def test_all_columns_of_videos_csv_but_the_first_may_be_missing(root: Path) -> None:
    (root / "videos.csv").write_text("video\na\nb\nc\nd\n")
    data = own(root, val_fraction=0.25)
    assert len(data.videos("train")) + len(data.videos("val")) == 4
    assert data.schema.goals == ()


def test_spaces_quotes_and_a_byte_order_mark_do_no_harm(root: Path) -> None:
    (root / "segments.csv").write_text('\ufeffvideo, start, end, label\na, 1.0 ,2,"stir, slowly"\n', encoding="utf-8")
    data = own(root)
    assert data.class_names == ["background", "stir, slowly"]


def test_ignored_stretches_are_not_scored(root: Path) -> None:
    (root / "segments.csv").write_text(SEGMENTS + "a,2.0,3.0,ignore\n")
    data = own(root)
    assert "ignore" not in data.class_names
    assert labels(data, "train")[4:6] == [IGNORED, IGNORED]


def test_without_a_background_frames_outside_segments_are_not_scored(root: Path) -> None:
    data = own(root, background=None)
    assert data.class_names == ["pour", "stir"]
    assert labels(data, "train")[:3] == [IGNORED, IGNORED, 1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param("a,1,4,stir\na,2,3,pour\n", [0, 0, 2, 2, 1, 1, 2, 2, 0, 0], id="the later start wins"),
        pytest.param("a,2,3,pour\na,1,4,stir\n", [0, 0, 2, 2, 1, 1, 2, 2, 0, 0], id="whatever the order of rows"),
        pytest.param("a,1,2,stir\na,1,3,pour\n", [0, 0, 1, 1, 1, 1, 0, 0, 0, 0], id="of equal starts the later row"),
        pytest.param("a,1,3,pour\na,1,2,stir\n", [0, 0, 2, 2, 1, 1, 0, 0, 0, 0], id="also if it is shorter"),
    ],
)
def test_where_segments_overlap(root: Path, rows: str, expected: list[int]) -> None:
    (root / "segments.csv").write_text("video,start,end,label\n" + rows)
    data = own(root, class_names=["background", "pour", "stir"])
    lines = r"segments\.csv, line [23] and .*segments\.csv, line [23]\)\. Set data\.multi_label to true"
    with pytest.warns(UserWarning, match=r"[12] frames of 1 videos lie in segments of two labels, .*" + lines):
        assert labels(data, "train") == expected


def test_overlapping_rows_of_one_label_or_of_ignore_are_no_warning(
    root: Path, recwarn: pytest.WarningsRecorder
) -> None:
    (root / "segments.csv").write_text("video,start,end,label\na,1,3,stir\na,2,4,stir\na,3.5,4.5,ignore\nb,0,1,pour\n")
    assert labels(own(root), "train") == [0, 0, 2, 2, 2, 2, 2, IGNORED, IGNORED, 0]
    assert not [str(found.message) for found in recwarn if "two labels" in str(found.message)]


def test_with_multi_label_a_frame_has_the_labels_of_all_its_segments(root: Path) -> None:
    (root / "segments.csv").write_text(
        "video,start,end,label\na,1,3,stir\na,2,4,pour\na,3.5,4.5,ignore\na,4,4.5,stir\nb,0,1,background\nb,0,0.5,pour\n"
    )
    data = own(root, multi_label=True)
    assert data.schema.tasks[0].labels.multi_label
    none, pour, stir, both, ignored = [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [IGNORED] * 3
    assert labels(data, "train") == [none, none, stir, stir, both, both, pour, ignored, stir, none]
    assert labels(data, "train", 1)[:3] == [pour, none, none]
    assert data.dataset("train").timelines[0].segments.tolist() == [[2, 2, 4], [1, 4, 8], [2, 8, 9]]


def test_a_name_that_holds_the_separator_is_refused_with_multi_label(root: Path) -> None:
    (root / "segments.csv").write_text("video,start,end,label\na,1,3,stir; slowly\n")
    with pytest.raises(DataError, match=r"The class 'stir; slowly' has a '; '"):
        _ = own(root, multi_label=True).schema
    assert own(root).schema.num_classes == 2


def test_a_segment_may_end_one_frame_after_its_video(root: Path) -> None:
    (root / "segments.csv").write_text(SEGMENTS + "a,4.5,5.5,stir\n")
    assert labels(own(root), "train")[-1] == 2


def test_a_segment_between_two_frames_is_lost_with_a_warning(root: Path) -> None:
    (root / "segments.csv").write_text(SEGMENTS + "a,0.1,0.4,pour\n")
    with pytest.warns(UserWarning, match="1 segments of 'a' fall between two frames at 2 a second"):
        assert labels(own(root), "train")[0] == 0


def test_the_given_class_order_is_kept(root: Path) -> None:
    data = own(root, class_names=["stir", "background", "pour"])
    assert data.schema.tasks[0].labels.background == 1
    assert labels(data, "train")[:3] == [1, 1, 0]


def test_a_class_without_example_only_warns(root: Path) -> None:
    with pytest.warns(UserWarning, match="1 of 4 classes have no training example: 'bake'"):
        own(root, class_names=["background", "stir", "pour", "bake"]).setup("fit")


def test_fit_works_without_the_files_of_the_test_split(root: Path) -> None:
    for name in "de":
        (root / "features" / f"{name}.npy").unlink()
    data = own(root)
    data.setup("fit")
    assert next(iter(data.train_dataloader())).frames.shape[-1] == 3
    assert next(iter(data.val_dataloader())).frames.shape[-1] == 3
    with pytest.raises(MissingDataError, match=r"features/d\.npy"):
        data.setup("test")


def test_statistics_are_of_the_training_videos_and_kept(root: Path) -> None:
    data = own(root)
    rows = np.concatenate([np.load(root / "features" / f"{name}.npy") for name in "ab"])
    np.testing.assert_allclose(data.schema.features.mean, rows.mean(0), atol=1e-6)
    assert len(list((root / "features").glob("statistics-*.json"))) == 1
    assert own(root).schema == data.schema


BAD_SEGMENTS = [
    ("a,3.0,2.0,stir", DataError, r"segments\.csv, line 7: a segment of 'a' starts at 3 s and ends at 2 s"),
    ("a,2.0,2.0,stir", DataError, r"line 7: a segment of 'a' starts at 2 s and ends at 2 s"),
    ("a,-1.0,2.0,stir", DataError, r"line 7: start is -1 s, before the video"),
    ("a,1.0,6.0,stir", DataError, r"line 7: the segment ends at 6 s, and 'a' is 5 s long \(10 frames at 2 a second\)"),
    ("a,one,2.0,stir", DataError, r"line 7: start is 'one', which is no time"),
    ("a,1.0,nan,stir", DataError, r"line 7: end is 'nan', which is no time"),
    ("a,1.0,,stir", DataError, r"line 7: end is '', which is no time"),
    ("a,1.0,2.0,", DataError, r"line 7: the label is empty"),
    ("a,1.0,2.0,stirr", DataError, r"line 7: the label 'stirr' is not among the 3 classes.*\n.*did you mean 'stir'"),
    ("a,1.0,2.0,stir, slowly", DataError, r"line 7: it has more values than the first line.*\n.*in quotes"),
    ("x,1.0,2.0,stir", DataError, r"line 7: the video 'x' is not in videos\.csv"),
    ("../a,1.0,2.0,stir", DataError, r"line 7: '\.\./a' is no name of a video"),
    (",1.0,2.0,stir", DataError, r"line 7: '' is no name of a video"),
]


@pytest.mark.parametrize(("row", "error", "message"), BAD_SEGMENTS)
def test_a_bad_segment_is_refused_with_its_line(root: Path, row: str, error: type[GadError], message: str) -> None:
    (root / "segments.csv").write_text(SEGMENTS + row + "\n")
    with pytest.raises(error, match=message):
        own(root, class_names=["background", "stir", "pour"]).setup("fit")


def test_missing_files_are_named(root: Path) -> None:
    (root / "features" / "b.npy").unlink()
    with pytest.raises(MissingDataError, match=r"features/b\.npy"):
        own(root).setup("fit")
    (root / "segments.csv").unlink()
    with pytest.raises(MissingDataError, match=r"segments\.csv is not there.*\n.*video,start,end,label"):
        own(root).setup("fit")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "data.class_names is empty"),
        (["background", "stir", "stir"], "data.class_names has 'stir' twice"),
        (["background", " "], "Name number 1 of data.class_names is empty"),
        (["stir", "pour"], "data.class_names has no 'background'"),
        (["background", "ignore"], "data.class_names has 'ignore'"),
    ],
)
def test_a_bad_class_list_is_refused(root: Path, names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _ = own(root, class_names=names).schema


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((10, 3), np.nan, dtype=np.float32), r"b\.npy.*NaN|NaN.*b\.npy"),
        (np.full((10, 3), np.inf, dtype=np.float32), r"b\.npy"),
        (np.zeros((10, 4), dtype=np.float32), r"b\.npy have width 4.*; 3 is expected"),
        (np.zeros((10, 2, 3), dtype=np.float32), r"b\.npy have tokens_per_frame 2.*; 1 is expected"),
        (np.zeros((0, 3), dtype=np.float32), r"b\.npy"),
    ],
)
def test_bad_features_are_refused_with_the_file(root: Path, array: np.ndarray, message: str) -> None:
    np.save(root / "features" / "b.npy", array)
    with pytest.raises(DataError, match=message):
        own(root).setup("fit")


def test_the_folder_can_be_moved(root: Path, tmp_path: Path) -> None:
    schema = own(root).schema
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("segments.csv", "videos.csv", "features"):
        shutil.move(root / name, moved / name)
    assert own(moved).schema == schema


def test_nothing_labeled_is_refused_before_training(root: Path) -> None:
    (root / "segments.csv").write_text("video,start,end,label\na,0,5,ignore\nb,0,5,ignore\nc,0,1,stir\n")
    with pytest.raises(DataError, match="No frame of the 2 training videos is labeled"):
        own(root, class_names=["background", "stir"]).dataset("train", training=True)


def test_a_file_without_a_label_is_named(root: Path) -> None:
    (root / "segments.csv").write_text("video,start,end,label\na,0,5,ignore\n")
    with pytest.raises(DataError, match=r"segments\.csv labels nothing"):
        _ = own(root, background=None).class_names


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("Stir", r"'Stir' \(.*segments\.csv, line 7\) and 'stir' \(.*segments\.csv, line 2\) differ by capitals"),
        ("STIR", r"'STIR' \(.*line 7\) and 'stir' \(.*line 2\) differ"),
        ("\uff53tir", r"'stir' \(.*line 2\) and '\uff53tir' \(.*line 7\) differ by capitals, forms of letters"),
        ("stir_", r"'stir' \(.*line 2\) and 'stir_' \(.*line 7\) differ by .* what stands between words"),
        ("st\u0130r", r"'stir' \(.*line 2\) and 'st\u0130r' \(.*line 7\) differ"),
        ("Ignore", r"The label 'ignore' and 'Ignore' \(.*line 7\) differ"),
        ("Background", r"The label 'background' and 'Background' \(.*line 7\) differ"),
    ],
)
def test_labels_that_a_person_takes_for_one_are_refused_unless_listed(root: Path, label: str, message: str) -> None:
    (root / "segments.csv").write_text(f"{SEGMENTS}a,0,1,{label}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message + r".*\n.*list both in data\.class_names"):
        _ = own(root).schema
    names = ["background", "stir", "pour", label]
    assert labels(own(root, class_names=names), "train")[0] == 3


def test_listed_names_are_read_as_labels_are(root: Path) -> None:
    (root / "segments.csv").write_text("video,start,end,label\na,0,1,r\u00fchren\na,1,2,pour  it\n", encoding="utf-8")
    data = own(root, class_names=["background ", "ru\u0308hren", "pour it"], background=" background")
    assert labels(data, "train")[:4] == [1, 1, 2, 2]
    with pytest.raises(DataError, match=r"data\.class_names has 'stir' twice"):
        _ = own(root, class_names=["background", "stir", "stir\u200b"]).class_names


def test_goals_and_groups_that_a_person_takes_for_one_are_warned_of(root: Path) -> None:
    (root / "videos.csv").write_text(VIDEOS.replace("b,train,make tea,kim", "b,train,Make tea,Kim"))
    with (
        pytest.warns(UserWarning, match="has the groups 'kim' and 'Kim'"),
        pytest.warns(UserWarning, match="the goals"),
    ):
        assert own(root).goals == ["Make tea", "make soup", "make tea"]
