"""Time and memory of the metrics on a million frames, beside plain Python loops of the same definitions.

python experiments/bench/metrics.py [--frames 1000000] [--videos 1000] [--classes 3807] [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from gad_lightning.metrics import DetectionDelay, FalseAlarmsPerHour, PointF1, SegmentF1, Top1
from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.segments import Segment, cut

Video = tuple[list[int], list[int]]  # predicted and true label of each frame


class Tally(NamedTuple):
    """True positives, false positives, false negatives."""

    hits: int
    false: int
    missed: int

    @property
    def f1(self) -> float:
        """F1, 0 without any segment."""
        return 2 * self.hits / max(2 * self.hits + self.false + self.missed, 1)


def read(preds: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> list[Video]:
    """Sort frames into videos, the last of repeated ones counting."""
    videos: dict[int, dict[int, tuple[int, int]]] = {}
    for found, true, number, moment in zip(*(x.tolist() for x in (preds, target, video, frame)), strict=True):
        videos.setdefault(number, {})[moment] = (found, true)
    ordered = [[rows[moment] for moment in sorted(rows)] for _, rows in sorted(videos.items())]
    return [([row[0] for row in rows], [row[1] for row in rows]) for rows in ordered]


def segments_by_loop(videos: list[Video], skip: set[int], overlap: float) -> Tally:
    """Segment F1 as it is told: one prediction after the other takes its best true segment if it is free."""
    hits = false = missed = 0
    for preds, target in videos:
        true = cut(target, skip)
        free = [True] * len(true)
        for found in cut(preds, skip):
            best, place = 0.0, -1
            for index, segment in enumerate(true):
                iou = _overlap(found, segment)
                if iou > best:
                    best, place = iou, index
            if best >= overlap and free[place]:
                free[place] = False
                hits += 1
            else:
                false += 1
        missed += sum(free)
    return Tally(hits, false, missed)


def _overlap(one: Segment, other: Segment) -> float:
    """Shared frames over the hull, 0 for different labels."""
    if one.label != other.label:
        return 0.0
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared / (max(one.end, other.end) - min(one.start, other.start))


def points_by_loop(videos: list[Video], skip: set[int], tolerance_frames: float) -> Tally:
    """Point F1 as it is told: the nearest true start of any class must be near enough, of the class and free."""
    hits = false = missed = 0
    for preds, target in videos:
        true = cut(target, skip)
        free = [True] * len(true)
        for found in cut(preds, skip):
            distances = [abs(segment.start - found.start) for segment in true]
            place = distances.index(min(distances)) if true else -1
            near = bool(true) and distances[place] <= tolerance_frames
            if near and true[place].label == found.label and free[place]:
                free[place] = False
                hits += 1
            else:
                false += 1
        missed += sum(free)
    return Tally(hits, false, missed)


def accuracy_by_loop(videos: list[Video], ignored: set[int]) -> float:
    """Share of right frames."""
    pairs = [pair for video in videos for pair in zip(*video, strict=True)]
    right = [found == true for found, true in pairs if true not in ignored]
    return sum(right) / len(right) if right else float("nan")


def delays_by_loop(videos: list[Video], skip: set[int], fps: float) -> list[float]:
    """Seconds until each true segment is found, those found only."""
    delays = []
    for preds, target in videos:
        for segment in cut(target, skip):
            right = [moment for moment in range(segment.start, segment.end) if preds[moment] == segment.label]
            delays += [(right[0] - segment.start) / fps] if right else []
    return delays


def made_up(frames: int, videos: int, classes: int, seed: int = 0) -> list[Tensor]:
    """Time lines of segments of 1 to 40 frames, half of them background, predicted with errors and delays; shuffled."""
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 41, (frames // 10,), generator=draw)
    action = torch.randint(1, classes, lengths.shape, generator=draw)
    action *= torch.randint(0, 2, lengths.shape, generator=draw)
    target = action.repeat_interleave(lengths)[:frames]
    preds = target.roll(2)
    wrong = torch.rand(frames, generator=draw) < 0.02
    preds[wrong] = torch.randint(0, classes, (int(wrong.sum()),), generator=draw)
    row, size = torch.arange(frames), -(-frames // videos)
    order = torch.randperm(frames, generator=draw)
    return [column[order] for column in (preds, target, row // size, row % size)]


def peak_mb() -> float:
    """Most memory this process has used since the peak was last cleared, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def clear_peak() -> float:
    """Set the peak back to what is used now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def timed(work: Callable[[], object], repeats: int) -> str:
    """Least and median seconds."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return f"min {min(seconds):6.3f} s, median {statistics.median(seconds):6.3f} s"


def run(metric: LabelMetric | MetricCollection, columns: list[Tensor], batch: int) -> None:
    """Update in batches and compute."""
    metric.reset()
    for part in zip(*(column.split(batch) for column in columns), strict=True):
        metric.update(*part)
    metric.compute()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"frames": 1_000_000, "videos": 1000, "classes": 3807, "batch": 4096, "repeats": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(1)
    imported = clear_peak()
    columns = made_up(args.frames, args.videos, args.classes)
    metrics: dict[str, LabelMetric] = {
        "SegmentF1": SegmentF1(args.classes),
        "PointF1": PointF1(args.classes, fps=4),
        "Top1": Top1(args.classes),
        "DetectionDelay": DetectionDelay(args.classes, fps=4),
        "FalseAlarmsPerHour": FalseAlarmsPerHour(args.classes, fps=4),
    }
    print(f"{args.frames} frames in random order, {args.videos} videos, {args.classes} classes, {args.batch} a batch")
    print(f"one thread; memory above the imported process, {4 * args.frames * 8 / 2**20:.0f} MB of input included")
    together = MetricCollection(dict(metrics))
    clear_peak()
    seconds = timed(lambda: run(together, columns, args.batch), args.repeats)
    print(f"{'one MetricCollection':24}{seconds}, {peak_mb() - imported:.0f} MB at most")
    for name, metric in metrics.items():
        metric.reset()
        print(f"{name:24}{timed(partial(run, metric, columns, args.batch), args.repeats)}")
    print(f"{'all five, kept apart':24}{peak_mb() - imported:.0f} MB at most")
    videos, skip = read(*columns), {0}
    loops: dict[str, Callable[[], float]] = {
        "SegmentF1": lambda: segments_by_loop(videos, skip, 0.1).f1,
        "PointF1": lambda: points_by_loop(videos, skip, 4).f1,
        "Top1": lambda: accuracy_by_loop(videos, set()),
        "DetectionDelay": lambda: statistics.fmean(delays_by_loop(videos, skip, 4)),
    }
    print("plain Python loops: the first line and one of the others for each metric")
    print(f"{'sorting':24}{timed(lambda: read(*columns), 1)}")
    for name, loop in loops.items():
        print(f"{name:24}{timed(loop, 1)}; {loop():.6f}, ours {float(together[name].compute()):.6f}")


if __name__ == "__main__":
    main()
