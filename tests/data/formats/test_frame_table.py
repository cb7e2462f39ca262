"""Tables with a row a frame, as lightning-action has them; the rate is that of the video beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gad_lightning.video.kitchen.synthetic import write_video
from tests.data.formats.reading import read_file

TEXT = ",background,still,walk\n0,1,0,0\n1,0,1,0\n2,0,1,1\n3,0,0,1\n"


def test_runs_are_stretches_at_the_rate_of_the_video_of_the_same_name(tmp_path: Path) -> None:
    write_video(tmp_path / "fly.mp4", (np.zeros((32, 32, 3), dtype=np.uint8) for _ in range(8)), 4)
    reading = read_file(tmp_path, "fly.csv", TEXT).reading
    assert [one[:4] for one in reading.annotations] == [("fly", 0.25, 0.75, "still"), ("fly", 0.5, 1.0, "walk")]
    assert reading.said == ["frames counted at 4 a second, as fly.mp4 has"]
