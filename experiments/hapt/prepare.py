"""Turns HAPT (a phone on the waist, 50 Hz) into a folder for OwnVideos: one feature frame every half second.

    python experiments/hapt/prepare.py ../shared/data/real/hapt runs/hapt

Causal: the frame at time t is made of the samples after t - 1 / fps and up to t. Of the six signals and the length of
the acceleration: mean, standard deviation, smallest, largest, last, last minus first, and six
low frequencies. The split is the official one by user; a user is a group, so validation users are held out of the
training users.

Source: Reyes-Ortiz et al., Transition-Aware Human Activity Recognition Using Smartphones, Neurocomputing 2016.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.csv_rows import write_rows
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.sidecar import write_sidecar

RATE = 50  # samples a second
BINS = 25  # length of the Fourier transform: at 2 frames a second its first bins are 2, 4 ... 12 Hz
FloatArray = NDArray[np.float32]


def feature_frames(signals: FloatArray, fps: float) -> FloatArray:
    """Summarize (T, 6) samples into (F, 84) frames at times 0, 1 / fps, 2 / fps ... up to the last sample."""
    channels = np.concatenate([signals, np.linalg.norm(signals[:, :3], axis=1, keepdims=True)], axis=1)
    num_frames = int((len(channels) - 1) / RATE * fps) + 1
    newest = np.round(np.arange(-1, num_frames) * RATE / fps).astype(int)
    spans = [channels[max(0, before + 1) : last + 1] for before, last in pairwise(newest)]
    return np.stack([summary(span) for span in spans]).astype(np.float32)


def summary(span: FloatArray) -> FloatArray:
    """Twelve numbers of each channel of a stretch of samples: (n, 7) -> (84,)."""
    moments = [span.mean(0), span.std(0), span.min(0), span.max(0), span[-1], span[-1] - span[0]]
    spectrum = np.abs(np.fft.rfft(span - span.mean(0), n=BINS, axis=0))[1:7] / BINS
    return np.concatenate([*moments, *spectrum])


def prepare(source: Path, root: Path, fps: float) -> int:
    """Write features, ``segments.csv`` and ``videos.csv``; return the number of recordings."""
    about: dict[str, Any] = json.loads((source / "annotations.json").read_text())
    official = json.loads((source / "splits.json").read_text())["official"]
    split_of = {name: split for split in ("train", "test") for name in official[split]}
    features = make_folder(root / "features")
    with np.load(source / "signals.npz", allow_pickle=False) as signals:
        for name in signals.files:
            with atomic_write(features / f"{name}.npy") as part, part.open("wb") as file:
                np.save(file, feature_frames(signals[name], fps), allow_pickle=False)
    write_sidecar(features, FeatureSpec("hapt-statistics", fps, width=84))
    recordings = about["recordings"]
    rows = [
        (name, segment["start"] / RATE, segment["end"] / RATE, segment["label"])
        for name, recording in recordings.items()
        for segment in recording["segments"]
    ]
    write_rows(root / "segments.csv", ("video", "start", "end", "label"), rows)
    videos = [(name, split_of[name], f"user{recordings[name]['user']:02d}") for name in recordings]
    write_rows(root / "videos.csv", ("video", "split", "group"), videos)
    return len(recordings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with signals.npz, annotations.json and splits.json")
    parser.add_argument("root", type=Path, help="folder to write, data.root of the runs")
    parser.add_argument("--fps", type=float, default=2.0, help="feature frames a second")
    options = parser.parse_args()
    print(f"{prepare(options.source, options.root, options.fps)} recordings in {options.root}")
