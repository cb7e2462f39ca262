"""Pictures of moments, of files in one folder only."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from gad_lightning.search.pictures import picture_at
from gad_lightning.video.encoding.video_files import video_of
from tests.video.clips import write_clip


def test_only_files_in_the_folder_are_found(tmp_path: Path) -> None:
    home = tmp_path / "videos"
    (home / "day 1").mkdir(parents=True)
    for path in (home / "tea.mp4", home / "day 1" / "tea.mkv", tmp_path / "secret.mp4"):
        path.write_bytes(b"")
    assert video_of(home, "tea") == (home / "tea.mp4").resolve()
    assert video_of(home, "day 1/tea") == (home / "day 1" / "tea.mkv").resolve()
    for name in ("../secret", str(tmp_path / "secret"), "nothing", "tea\x00", ""):
        assert video_of(home, name) is None


def test_the_picture_is_the_one_shown_at_that_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, [step / 10 for step in range(20)])
    first, last = (picture_at(path, seconds) for seconds in (0.0, 1e6))
    assert first is not None
    assert last is not None
    assert first != last
    kind, content = first.split(",")
    assert kind == "data:image/jpeg;base64"
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).ndim == 3


def test_a_file_that_is_no_video_has_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    assert picture_at(tmp_path / "a.mp4", 0.0) is None
