"""Turns JIGSAWS suturing (a da Vinci robot, eight surgeons) into a folder for OwnVideos: motion of the two arms.

    python experiments/jigsaws/prepare.py SOURCE runs/jigsaws/0 --fold 0

SOURCE has ``about.json``, ``kinematics.npz``, ``gestures.csv`` and ``videos.csv``: 38 trials, 10 gestures such as
``pulling suture with left hand``, without background. What no gesture covers, before the first and after the last, is
not scored. A feature frame is the state of the robot at its own time: position, linear velocity and gripper of the two
patient-side arms, 14 numbers. Rotations are left out, as surgeons were recorded in different frames.

One surgeon is left out for test: fold 0 is B, 7 is I. The data are for research only: neither they nor weights trained
on them are to be passed on.

Source: Gao et al., JIGSAWS, MICCAI workshop M2CAI 2014.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.csv_rows import read_rows, write_rows
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.sidecar import write_sidecar

ARM = 19  # numbers of an arm: position 3, rotation 9, linear velocity 3, rotational velocity 3, gripper 1
MOTION = (0, 1, 2, 12, 13, 14, 18)
COLUMNS = [arm * ARM + number for arm in (2, 3) for number in MOTION]  # the patient side comes second


def gesture_rows(gestures: Iterable[dict[str, str]], frames: dict[str, int], rate: float) -> list[tuple[object, ...]]:
    """Stretches in seconds, gestures and the ignored ones around them.

    Args:
        gestures: rows of ``gestures.csv``, each trial's in time order and without gaps.
        frames: rows of the recording of each trial.
        rate: rows a second.
    """
    rows: list[tuple[object, ...]] = []
    by_trial: dict[str, list[tuple[int, int, str]]] = {}
    for row in gestures:
        by_trial.setdefault(row["video"], []).append((int(row["start_frame"]), int(row["end_frame"]), row["label"]))
    for trial, found in by_trial.items():
        around = [(0, found[0][0], "ignore"), *found, (found[-1][1], frames[trial], "ignore")]
        rows += [(trial, start / rate, end / rate, label) for start, end, label in around if end > start]
    return rows


def motion(kinematics: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Every ``step``-th row of a recording, the numbers that are used: (T, 76) -> (F, 14)."""
    return np.ascontiguousarray(kinematics[::step][:, COLUMNS])


def prepare(source: Path, root: Path, fold: int, fps: float = 10.0) -> int:
    """Write features, ``segments.csv`` and ``videos.csv``; return the number of trials."""
    about = json.loads((source / "about.json").read_text(encoding="utf-8"))
    stored, rate = about["kinematics_per_second"], about["frames_per_second"]
    step = round(stored / fps)
    if step < 1 or abs(step * fps - stored) > 1e-6:
        raise SystemExit(f"--fps is {fps}: it must be {stored} divided by a whole number")
    features = make_folder(root / "features")
    videos = [row for _, row in read_rows(source / "videos.csv", ("video",), "give its folder as SOURCE")]
    with np.load(source / "kinematics.npz", allow_pickle=False) as kinematics:
        for video in videos:
            with atomic_write(features / f"{video['video']}.npy") as part, part.open("wb") as file:
                np.save(file, motion(kinematics[video["video"]], step), allow_pickle=False)
    write_sidecar(features, FeatureSpec("jigsaws-motion", stored / step, width=len(COLUMNS)))
    frames = {video["video"]: int(video["frames"]) for video in videos}
    rows = gesture_rows(
        [row for _, row in read_rows(source / "gestures.csv", ("video",), "give its folder as SOURCE")], frames, rate
    )
    write_rows(root / "segments.csv", ("video", "start", "end", "label"), rows)
    surgeons = sorted({video["group"] for video in videos})
    split = [(v["video"], "test" if v["group"] == surgeons[fold] else "train", v["group"]) for v in videos]
    write_rows(root / "videos.csv", ("video", "split", "group"), split)
    return len(videos)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with kinematics.npz, gestures.csv, videos.csv and about.json")
    parser.add_argument("root", type=Path, help="folder to write, data.root of the runs")
    parser.add_argument("--fold", type=int, default=0, choices=range(8), help="surgeon to test on")
    parser.add_argument("--fps", type=float, default=10.0, help="feature frames a second")
    given = parser.parse_args()
    print(f"{prepare(given.source, given.root, given.fold, given.fps)} trials in {given.root}")
