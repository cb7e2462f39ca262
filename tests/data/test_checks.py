"""What is refused before a run starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.checks import _check_windows
from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import Windows
from tests.data.own_folder import own, write_own


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five videos of 10 frames at 2 a second, e without a segment."""
    return write_own(tmp_path)


@pytest.mark.parametrize(
    ("text", "background", "message"),
    [
        ("", "background", "'background' is the only class"),
        ("a,1,2,stir\nb,1,2,stir\n", None, "'stir' is the only class"),
        ("", None, "segments.csv labels nothing"),
        ("a,1,2,ignore\n", "background", "'background' is the only class"),
    ],
    ids=["empty", "one", "nothing", "ignored"],
)
def test_one_class_is_refused(root: Path, text: str, background: str | None, message: str) -> None:
    (root / "segments.csv").write_text("video,start,end,label\n" + text)
    with pytest.raises(DataError, match=message):
        _ = own(root, background=background).schema


@pytest.mark.parametrize("rows", ["", "a,0,5,background\n", "c,0,5,stir\n"])
def test_training_videos_that_show_one_class_are_refused(root: Path, rows: str) -> None:
    (root / "segments.csv").write_text("video,start,end,label\n" + rows)
    data = own(root, class_names=["background", "stir", "pour"])
    with pytest.raises(DataError, match="All labeled frames of the 2 training videos are 'background'"):
        data.setup("fit")
    data.setup("test")  # what is not labeled yet can be predicted


@pytest.mark.parametrize(
    ("windows", "stride", "message"),
    [
        (Windows(short=0), 1, r"data\.short_memory .* at least 1, got 0"),
        (Windows(chunk=-2), 1, r"data\.chunk .* got -2"),
        (Windows(long=-1), 1, r"data\.long_memory .* got -1"),
        (Windows(), 0, r"data\.stride .* got 0"),
        (Windows("one_pass", long_stride=4), 1, r"strides must be 1, got short_stride 1 and long_stride 4"),
    ],
)
def test_impossible_windows_are_refused(windows: Windows, stride: int, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        _check_windows(windows, stride)
