"""A video that was replaced is told from one that was copied or touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gad_lightning.video.encoding.source import is_replaced, source_of


def test_content_counts_and_not_time_or_place(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    first.write_bytes(bytes(200_000))
    second.write_bytes(bytes(200_000))
    os.utime(second, (1, 1))
    assert not is_replaced(source_of(first), second)
    second.write_bytes(bytes(199_999) + b"x")
    assert is_replaced(source_of(first), second)
    second.write_bytes(bytes(10))
    assert is_replaced(source_of(first), second)


@pytest.mark.parametrize("noted", [None, "", "10", "10 5"])
def test_of_what_nothing_is_known_nothing_is_said(noted: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert not is_replaced(noted, tmp_path / "a.mp4")


def test_a_video_that_is_gone_was_not_replaced(tmp_path: Path) -> None:
    assert not is_replaced("10 5 abc", tmp_path / "gone.mp4")
