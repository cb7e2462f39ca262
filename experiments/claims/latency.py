"""Measures the milliseconds that a frame of one live stream takes, for every variant and baseline, in one process.

    python experiments/claims/latency.py --data kitchen

A variant is its checkpoint of seed 0 in an ``OnlineDetector``, LoRA merged, and gets the frames of a test video; a
baseline reads its window anew for every frame, with untrained weights, on which its speed does not depend. They take
turns, so that a busy machine slows all of them alike. What has no checkpoint is left out.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow a shared machine twentyfold

import numpy as np
import torch
from baselines import KINDS, data_of, kind_of, open_data, settings_of, variants_on
from claims import RESULTS, RUNS, Data, read_data, read_variants, runs_of
from jsonargparse import ArgumentParser
from records import LATENCY, Stored
from tables import write_readme

from gad_lightning.atomic import make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.compare.record import surroundings
from gad_lightning.compare.runs import RESULT, Run
from gad_lightning.readouts.base import Readout
from gad_lightning.results.tables import write_json
from gad_lightning.streaming.detector import OnlineDetector

READOUT = "model.readout"
Work = Callable[[], Any]


def detector_of(run: Run) -> OnlineDetector | None:
    """A variant's live detector; None if its checkpoint is not there, or not the last one."""
    path = run.trained / "checkpoints" / "best.ckpt"
    if not path.is_file() or not (run.trained / RESULT).is_file():
        return None
    classifier: Classifier = Classifier.load_from_checkpoint(path, map_location="cpu")
    if run.variant.trained_as:
        assert isinstance(classifier, GenerativeClassifier), "only readouts share a checkpoint"
        classifier.readout = readout_of(run.variant.overrides)
    return OnlineDetector(classifier, merge=True)


def readout_of(overrides: Sequence[str]) -> Readout:
    """The readout that a variant's overrides name."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Readout, READOUT)
    given = parser.parse_args([f"--{text}" for text in overrides if text.startswith(READOUT)])
    readout: Readout = parser.instantiate_classes(given).model.readout
    return readout


def works_of(data: Data, home: Path, more: tuple[str, ...]) -> dict[str, Work]:
    """What is timed, by name; each call takes one frame."""
    baselines = variants_on(data, more)
    overrides, window, _ = settings_of(baselines[0])
    record = data_of(baselines[0].config, {}, overrides).videos("test")[0]
    frames = torch.from_numpy(record.frames.rows(np.arange(record.frames.num_frames)))
    works: dict[str, Work] = {}
    for run in runs_of(list(read_variants()), data, 1, home, more):
        if (detector := detector_of(run)) is not None:
            works[run.variant.name] = push(detector, frames)
    shown = open_data(None, baselines[0].config, window, 0, overrides)
    batch = shown.dataset("test")[record.frames.num_frames - 1]  # the last window of that video
    for name in KINDS:
        model = kind_of(name)(shown.schema).eval()
        works[name] = torch.inference_mode()(lambda model=model: model(batch))
    return works


def push(detector: OnlineDetector, frames: torch.Tensor) -> Work:
    """Give the video to a detector frame by frame, over and over."""
    numbers = count()
    return lambda: detector.push(frames[next(numbers) % len(frames)])


def measure(works: dict[str, Work], warm_up: int, pushes: int, turns: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each: median, and the time that nine of ten frames take at most."""
    for work in works.values():
        for _ in range(warm_up):
            work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            for _ in range(pushes // turns):
                start = time.perf_counter()
                work()
                times[name].append(1000 * (time.perf_counter() - start))
    return {
        name: {"median": round(median(found), 4), "p90": round(quantiles(found, n=10)[-1], 4)}
        for name, found in times.items()
    }


def result_of(data: Data, given: argparse.Namespace) -> Stored:
    """All that is stored: times, and where they were measured."""
    torch.set_num_threads(given.threads)
    works = works_of(data, given.home, tuple(given.override))
    facts = {name: surroundings()[name] for name in ("commit", "hardware", "threads")}
    settings = {"warm_up": given.warm_up, "pushes": given.pushes, "turns": given.turns}
    times = measure(works, given.warm_up, given.pushes, given.turns)
    return {"data": data.name, **facts, **settings, "milliseconds": times}


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="kitchen", choices=list(read_data()))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=200, help="frames before; more than chunk and window together")
    parser.add_argument("--pushes", type=int, default=400, help="frames timed of each")
    parser.add_argument("--turns", type=int, default=10, help="in which they are timed")
    parser.add_argument("--home", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of what is stored")
    parser.add_argument("--override", action="append", default=[], help="KEY=VALUE for every run, as the runs had it")
    given = parser.parse_args()
    data = read_data()[given.data]
    result = result_of(data, given)
    write_json(make_folder(given.results / data.name) / LATENCY, result)
    for name, found in sorted(result["milliseconds"].items(), key=lambda item: item[1]["median"]):
        print(f"{name}: {found['median']:.2f} ms, nine of ten within {found['p90']:.2f}")
    write_readme(given.results)


if __name__ == "__main__":
    main()
