"""Turns what eight video models said of IKEA ASM's frames into a folder for OwnVideos: 8 x 33 zeros and ones a frame.

    python experiments/ikea_asm/prepare.py SOURCE runs/ikea_asm/0 --fold 0

SOURCE has ``about.json``, ``top1.npz``, ``truth.csv`` and ``videos.csv``: people who assemble furniture, 117 untrimmed
videos, 31 actions such as ``pick up leg``. A model labels whole clips of 16 to 64 pictures (0.6 to 2.6 s). A feature
frame shows what was known at its time: the label of the last clip that was over. With ``--whole_clips`` it shows the
label of the clip it is in, which knows what follows: never call that online.

Test videos are those of one of five folds of whole persons; for cross-validation run it once a fold. The data are for
research only: neither they nor weights trained on them are to be passed on.

Source: Ben-Shabat et al., The IKEA ASM Dataset, WACV 2021; Kirchmann et al., what published models say of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.csv_rows import read_rows, write_rows
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.sidecar import write_sidecar

RATE = 25  # pictures a second
BACKGROUND, UNCERTAIN = "NA", "other"  # `other` is an action that is none of the 31


class Models(NamedTuple):
    """What labeled the pictures."""

    clips: list[int]  # pictures of a clip, of each model
    classes: int  # labels that a model can give


def feature_frames(
    said: NDArray[np.uint8], models: Models, step: int, whole_clips: bool = False
) -> NDArray[np.float16]:
    """One-hot labels of every ``step``-th picture, that in the middle of its stretch: (T, 8) -> (F, 8 * classes).

    Rows of a model are zero as long as it has not seen a whole clip.
    """
    shown = np.arange(step // 2, len(said), step)
    frames = np.zeros((len(shown), len(models.clips), models.classes), np.float16)
    for column, clip in enumerate(models.clips):
        known = shown if whole_clips else (shown + 1) // clip * clip - 1
        there = np.flatnonzero(known >= 0)
        frames[there, column, said[known[there], column]] = 1
    return frames.reshape(len(shown), -1)


def segment_rows(truth: Iterable[dict[str, str]], step: int) -> list[tuple[str, float, float, str]]:
    """Stretches in seconds of the feature frames that show them; those between two frames are left out."""
    rows = []
    for row in truth:
        start, end = (-(-(int(row[edge]) - step // 2) // step) for edge in ("start_frame", "end_frame"))
        if row["label"] != BACKGROUND and start < end:
            label = "ignore" if row["label"] == UNCERTAIN else row["label"]
            rows.append((row["video"], start * step / RATE, end * step / RATE, label))
    return rows


def prepare(source: Path, root: Path, fold: int, fps: float = 5.0, whole_clips: bool = False) -> int:
    """Write features, ``segments.csv`` and ``videos.csv``; return the number of videos."""
    step = round(RATE / fps)
    if step < 1 or abs(step * fps - RATE) > 1e-6:
        raise SystemExit(f"--fps is {fps}: it must be {RATE} divided by a whole number")
    about = json.loads((source / "about.json").read_text(encoding="utf-8"))
    models = Models(about["clip_frames"], len(about["classes"]))
    features = make_folder(root / "features")
    videos = [row for _, row in read_rows(source / "videos.csv", ("video",), "give its folder as SOURCE")]
    with np.load(source / "top1.npz", allow_pickle=False) as said:
        for video in videos:
            with atomic_write(features / f"{video['video']}.npy") as part, part.open("wb") as file:
                np.save(file, feature_frames(said[video["video"]], models, step, whole_clips), allow_pickle=False)
    name = "ikea-asm-top1" if whole_clips else "ikea-asm-top1-causal"
    write_sidecar(features, FeatureSpec(name, RATE / step, width=len(models.clips) * models.classes))
    rows = segment_rows(
        [row for _, row in read_rows(source / "truth.csv", ("video",), "give its folder as SOURCE")], step
    )
    write_rows(root / "segments.csv", ("video", "start", "end", "label"), rows)
    split = [(v["video"], "test" if int(v["fold"]) == fold else "train", v["goal"], v["group"]) for v in videos]
    write_rows(root / "videos.csv", ("video", "split", "goal", "group"), split)
    return len(videos)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with top1.npz, truth.csv, videos.csv and about.json")
    parser.add_argument("root", type=Path, help="folder to write, data.root of the runs")
    parser.add_argument("--fold", type=int, default=0, choices=range(5), help="persons to test on")
    parser.add_argument("--fps", type=float, default=5.0, help="feature frames a second")
    parser.add_argument("--whole_clips", action="store_true", help="let a frame know the rest of its clip")
    given = parser.parse_args()
    print(f"{prepare(given.source, given.root, given.fold, given.fps, given.whole_clips)} videos in {given.root}")
