"""A folder of own videos for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gad_lightning.data.own import OwnVideos

SEGMENTS = """video,start,end,label
a,1.0,2.0,stir
a,3.0,4.5,pour
b,0.0,1.0,stir
c,0.5,1.5,pour
d,0.5,1.5,stir
"""
VIDEOS = """video,split,goal,group
a,train,make tea,kim
b,train,make tea,kim
c,val,make soup,lee
d,test,,lee
e,test,make soup,kim
"""


def write_own(tmp_path: Path) -> Path:
    """Five videos of 10 frames at 2 a second, e without a segment."""
    (tmp_path / "segments.csv").write_text(SEGMENTS)
    (tmp_path / "videos.csv").write_text(VIDEOS)
    (tmp_path / "features").mkdir()
    for number, name in enumerate("abcde"):
        frames = np.random.default_rng(number).normal(size=(10, 3)).astype(np.float32)
        np.save(tmp_path / "features" / f"{name}.npy", frames)
    return tmp_path


def own(root: Path, **how: Any) -> OwnVideos:
    """The data set at 2 frames a second."""
    return OwnVideos(root, **{"fps": 2.0, **how})


def labels(data: OwnVideos, split: Any, video: int = 0) -> list[Any]:
    """Labels of every frame of a video."""
    return data.dataset(split).timelines[video].queries.label.tolist()
