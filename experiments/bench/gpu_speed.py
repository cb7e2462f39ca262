"""Frames a second, delays, peak memory and where the time goes, of random weights in the paper's CrossTask window.

Every row is warmed up, then timed turn by turn with the device waited for; rates are those of the median turn. Live
streams are as far apart in their chunks as can be, so that a push has as many second rows as in the long run.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from measure import quantile, rate, seconds_of  # isort: skip  # sets how threads wait, before torch is there
import torch
from gpu_checks import training_batch
from speed import CLASSES, KINDS, WIDTHS, WINDOW, chunk_batch, inference, prepare

from gad_lightning.classifiers.base import Classifier
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.types import Batch
from training import SHARE, step_of

CHUNK = 512
Work = Callable[[], Any]
Ready = Callable[..., tuple[Work, int]]


@lru_cache(maxsize=1)
def made(kind: str, shape: str, device: str, dtype: Any) -> Classifier:
    """A classifier in evaluation mode, LoRA merged: the last one asked for is kept."""
    classifier = prepare(kind, shape, "one_pass", CHUNK, device, dtype=dtype).eval()
    classifier.backbone.merge()
    return classifier


def timed(work: Work, frames: int, seconds: float) -> dict[str, Any]:
    """Time some turns of a work that labels so many frames."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    first = seconds_of(work, 1, warm_up=0)[0]
    again = min(seconds_of(work, 3, warm_up=0))
    times = seconds_of(work, max(5, min(600, int(seconds / again))), warm_up=0)
    found = {"frames_per_second": rate(times, frames), "p50_ms": quantile(times, 0.5), "p99_ms": quantile(times, 0.99)}
    return {**found, "turns": len(times), "first_seconds": first, "peak_gb": peak_gigabytes()}


def peak_gigabytes() -> float:
    """Most GPU memory that tensors held since the row began; 0 without a GPU."""
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


def one_pass(classifier: Classifier, width: int, samples: int) -> tuple[Work, int]:
    """Score chunks of 512 frames, other ones each turn."""
    length = WINDOW - 1 + CHUNK
    batch = chunk_batch(torch.randn(length, width, device=classifier.device), WINDOW - 1, samples)
    fresh = [torch.randn_like(batch.frames) for _ in range(3)]
    turn = itertools.count()
    return inference(lambda: classifier.scores(batch._replace(frames=fresh[next(turn) % 3]))), samples * CHUNK


def by_windows(classifier: Classifier, width: int, size: int) -> tuple[Work, int]:
    """Score windows of 148 frames."""
    fresh, turn = torch.randn(3, size, WINDOW, width, device=classifier.device), itertools.count()
    return inference(lambda: classifier(fresh[next(turn) % 3])), size


def whole_video(classifier: Classifier, width: int, frames: int) -> tuple[Work, int]:
    """Detect in features on the CPU, as a user does: layout, transfer and segments included."""
    video = torch.randn(frames, width)
    return lambda: classifier.detect(video), frames


def live(
    classifier: Classifier, width: int, streams: int, compiled: bool = False, together: int | None = None
) -> tuple[Work, int]:
    """Push the next frame of every stream; or of ``together`` streams, and of as many others the next time."""
    detector, turn = OnlineDetector(classifier, streams, compiled=compiled), itertools.count()
    detector.seen += torch.arange(streams) * CHUNK // streams + CHUNK
    frames = torch.randn(streams + 64, width, device=classifier.device)
    size = together or streams

    def push() -> None:
        number = next(turn)
        first = number * size % streams
        detector.push(frames[number % 64 :][:size], None if together is None else range(first, first + size))

    return push, size


def speed(rows: Any, given: argparse.Namespace) -> None:
    """All ways at the largest shape, Disc in every way and the others where they differ; some at smaller ones."""
    for after, shape in itertools.product((False, True), given.shape):  # what compiling leaves behind slows the host
        for name, kind, ready in ways(given) if shape == given.shape[-1] else few_ways(given):
            if after == ("compiled" in name or "flex" in name):
                rows.add(f"speed, {shape}, {kind}, {name}", partial(timed_way, kind, shape, ready, given))
    made.cache_clear()


def timed_way(kind: str, shape: str, ready: Ready, given: argparse.Namespace) -> dict[str, Any]:
    """Make a classifier and time one way."""
    classifier = made(kind, shape, given.device, given.dtype)
    attention = classifier.backbone.attention
    try:
        return timed(*ready(classifier, WIDTHS[shape]), given.seconds)
    finally:
        classifier.backbone.attention = attention


def with_flex(classifier: Classifier, width: int, samples: int) -> tuple[Work, int]:
    """One pass by FlexAttention."""
    classifier.backbone.attention = "flex"
    return one_pass(classifier, width, samples)


def few_ways(given: argparse.Namespace) -> list[tuple[str, str, Ready]]:
    """What a small shape is to show: mostly what the host costs."""
    size = 1 if given.device == "cpu" else 8
    return [
        ("window, 8", "Disc", partial(by_windows, size=8)),
        (f"one pass, {size} chunks", "Disc", partial(one_pass, samples=size)),
        (f"one pass, {size} chunks", "Gen", partial(one_pass, samples=size)),
        *((f"live, {n}", "Disc", partial(live, streams=n)) for n in given.streams),
        ("live, 1, compiled", "Disc", partial(live, streams=1, compiled=True)),
    ]


def ways(given: argparse.Namespace) -> list[tuple[str, str, Ready]]:
    """Name, classifier and what makes the work ready."""
    on_gpu, most = given.device != "cpu", max(given.streams)
    many, sizes = ((1, 8, 32), (8, 64)) if on_gpu else ((1,), (8,))
    found: list[tuple[str, str, Ready]] = []
    for kind in ("GAD", "Gen"):
        found += [(f"one pass, {many[-1]} chunks", kind, partial(one_pass, samples=many[-1]))]
        found += [("live, 1", kind, partial(live, streams=1))]
    found += [(f"window, {size}", "Disc", partial(by_windows, size=size)) for size in sizes]
    found += [(f"one pass, {n} chunks", "Disc", partial(one_pass, samples=n)) for n in many]
    found += [("detect, 20,000 frames", "Disc", partial(whole_video, frames=20_000))] if on_gpu else []
    found += [(f"live, {n}", "Disc", partial(live, streams=n)) for n in given.streams]
    found += [(f"live, {5 * most} by {most}", "Disc", partial(live, streams=5 * most, together=most))]
    found += [(f"live, {n}, compiled", "Disc", partial(live, streams=n, compiled=True)) for n in given.compiled]
    found += [(f"one pass by flex, {n} chunks", "Disc", partial(with_flex, samples=n)) for n in many]
    return found


def training(rows: Any, given: argparse.Namespace) -> None:
    """Steps of 8 windows, and of chunks of 256 frames by sdpa and by FlexAttention."""
    for shape in given.shape:
        for kind in KINDS:
            flexed = given.device != "cpu" and shape == given.shape[-1]
            for way in ("window", "one pass", *["one pass by flex"] * flexed):
                rows.add(f"training, {shape}, {kind}, {way}", partial(timed_step, kind, shape, way, given))


def timed_step(kind: str, shape: str, way: str, given: argparse.Namespace) -> dict[str, Any]:
    """Labelled frames a second of a training step, and its peak memory."""
    return timed(*training_step(kind, shape, way, given), min(1.0, given.seconds))


def training_step(kind: str, shape: str, way: str, given: argparse.Namespace) -> tuple[Work, int]:
    """Forward, backward and AdamW, by autocast to bfloat16 on a GPU; and the labelled frames of a step."""
    mode: Any = "window" if way == "window" else "one_pass"
    classifier = prepare(
        kind, shape, mode, 256, given.device, dtype=given.dtype, **({} if mode == "window" else SHARE[kind])
    )
    classifier.backbone.attention = "flex" if "flex" in way else "sdpa"
    if mode == "window":
        frames = torch.randn(8, WINDOW, 1, WIDTHS[shape], device=given.device)
        batch = Batch.at_last_frames(frames, torch.full((8,), WINDOW))
        batch = batch._replace(label=torch.randint(1, CLASSES, (8,)), uniform=torch.zeros(8))
    else:
        batch = training_batch(shape, given.device, 4)
    return step_of(classifier.train(), batch, mixed=given.device != "cpu"), len(batch.label)


def profile(rows: Any, given: argparse.Namespace) -> None:
    """Where the time of one stream, of many, of one pass and of Gen's training step goes, at the largest shape."""
    shape, many = given.shape[-1], max(given.streams)
    for name, ready in (
        ("live, 1", partial(live, streams=1)),
        ("live, 1, compiled", partial(live, streams=1, compiled=True)),
        (f"live, {many}", partial(live, streams=many)),
        ("one pass, 8 chunks", partial(one_pass, samples=8 if given.device != "cpu" else 1)),
    ):
        if given.device != "cpu" or "compiled" not in name:
            rows.add(f"profile, {shape}, Disc, {name}", partial(profiled, partial(way_of, shape, ready, given)))
    made.cache_clear()
    rows.add(
        f"profile, {shape}, Gen, training step, one pass",
        partial(profiled, lambda: training_step("Gen", shape, "one pass", given)[0]),
    )


def way_of(shape: str, ready: Ready, given: argparse.Namespace) -> Work:
    """A way of Disc's that is ready."""
    return ready(made("Disc", shape, given.device, given.dtype), WIDTHS[shape])[0]


def profiled(make_work: Callable[[], Work]) -> dict[str, Any]:
    """Dearest operations, on the device and on the host, of three turns."""
    from torch.profiler import ProfilerActivity, profile

    work = make_work()
    for _ in range(5):
        work()
    on_gpu = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU, *on_gpu]) as found:
        for _ in range(3):
            work()
    taken, table = time.perf_counter() - start, found.key_averages()
    kernels = [row for row in table if row.device_type == torch.autograd.DeviceType.CUDA]
    return {
        "profiled_ms": taken / 3 * 1000,
        "device_ms": sum(row.self_device_time_total for row in kernels) / 3000,
        "kernels": sum(row.count for row in kernels) / 3,
        "device": dearest(kernels, "self_device_time_total"),
        "host": dearest(table, "self_cpu_time_total"),
    }


def dearest(table: Any, column: str) -> list[dict[str, Any]]:
    """The twelve operations that take the longest: name, calls and milliseconds a turn."""
    first = sorted(table, key=lambda row: -getattr(row, column))[:12]
    return [{"name": row.key[:90], "calls": row.count / 3, "ms": getattr(row, column) / 3000} for row in first]
