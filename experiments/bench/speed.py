"""The published-style test loop against window mode, one pass and live streams, side by side in one run.

    python experiments/bench/speed.py --shape tiny            # a minute on a CPU
    python experiments/bench/speed.py --shape 1b              # the true Llama-3.2-1B shape
    python experiments/bench/speed.py --shape 1b --compiled 1 8     # by one graph too, as a GPU does unasked
    python experiments/bench/speed.py --shape 1b --layers 4 --kinds Disc    # four of its layers: minutes, not an hour

Same random weights and features for all; a window of 148 frames as the paper has it on CrossTask. Results go to
``experiments/bench/results/speed_<shape>_<device>.json``, or with ``_<layers>_layers`` at the name's end. The last
column is the share of what the machine reaches in the layers' largest matrix product, in the same number format and
the same turns.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import quantile, rate, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from published_loop import PublishedLoop
from rich.console import Console
from rich.table import Table
from shapes import SHAPES, class_names, make, native
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.collate import Sample, collate
from gad_lightning.schema import FeatureSpec, Mode, Windows
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.types import Batch

KINDS: dict[str, type[Classifier]] = {
    "Disc": DiscriminativeClassifier,
    "GAD": GADClassifier,
    "Gen": GenerativeClassifier,
}
WINDOW, CLASSES = 148, 106
WIDTHS = {"tiny": 64, "small": 256, "1b": 1536}


def prepare(kind: str, shape: str, mode: Mode, chunk: int, device: str, **more: Any) -> Classifier:
    """A classifier of the paper's CrossTask window."""
    windows, features = Windows(mode, WINDOW, chunk=chunk), FeatureSpec("random", 1.0, WIDTHS[shape])
    return make(KINDS[kind], shape, windows, features, class_names(CLASSES), device, **more)


def chunk_batch(frames: Tensor, context: int, samples: int = 1) -> Batch:
    """Samples of all frames, asked at every frame after the context: frames (F, D)."""
    anchor = torch.arange(context, len(frames)).numpy()
    none, column = anchor * 0, torch.zeros(len(anchor)).numpy()
    sample = Sample(
        frames.unsqueeze(1).cpu().numpy(), 0, -1, torch.zeros(0, 3, dtype=torch.int64).numpy(), anchor, anchor,
        none, none, none, none, anchor, column,
    )  # fmt: skip
    batch = collate([sample] * samples)
    return batch._replace(frames=batch.frames.to(frames.device))


def pushing(classifier: Classifier, frames: Tensor, streams: int, compiled: bool = False) -> Callable[[], Any]:
    """A push of the next frame of every stream; a ring costs the same full or empty."""
    detector, pushed = OnlineDetector(classifier, streams, compiled=compiled), itertools.count()
    return lambda: detector.push(frames[(next(pushed) + torch.arange(streams)) % len(frames)])


def inference(work: Callable[[], Any]) -> Callable[[], Any]:
    """Run without gradients."""
    return torch.inference_mode()(work)


def works_of(kind: str, given: argparse.Namespace, frames: Tensor) -> dict[str, tuple[Callable[[], Any], int, int]]:
    """Every way by name: what is timed, the frames that it labels, and how often it is done in a turn.

    The published-style loop has its LoRA apart and the head over all tokens; the others have the LoRA merged.
    """
    where = {"device": given.device, "dtype": given.dtype}
    windowed = prepare(kind, given.shape, "window", 128, **where).eval()
    classifier = prepare(kind, given.shape, "one_pass", given.chunk, **where).eval()
    classifier.backbone.merge()
    windowed.backbone = classifier.backbone  # the same weights: held once
    loop = PublishedLoop(prepare(kind, given.shape, "window", 128, **where), generative=kind == "Gen")
    number, windows = itertools.count(), torch.stack([frames[end : end + WINDOW] for end in range(8)])
    chunk = chunk_batch(frames[: WINDOW - 1 + given.chunk], WINDOW - 1)
    return {
        "published": (lambda: loop.label(windows[next(number) % 8]), 1, 2),
        "window, batch 8": (inference(lambda: windowed(windows)), 8, 1),
        f"one pass, chunk {given.chunk}": (inference(lambda: classifier.scores(chunk)), given.chunk, 1),
        **{f"live, {n}": (pushing(classifier, frames, n), n, max(1, 16 // n)) for n in given.streams},
        **{
            f"live, {n}, compiled": (pushing(classifier, frames, n, compiled=True), n, max(1, 16 // n))
            for n in given.compiled
        },
    }


def matrix_product(given: argparse.Namespace) -> Callable[[], Any]:
    """The largest product of a layer for as many tokens as a chunk has frames: what the machine itself can do."""
    hidden, inner = (SHAPES[given.shape][name] for name in ("hidden_size", "intermediate_size"))
    where: dict[str, Any] = {"device": given.device, "dtype": getattr(torch, given.dtype)}
    tokens, weight = torch.randn(given.chunk, hidden, **where), torch.randn(inner, hidden, **where)
    return inference(lambda: torch.nn.functional.linear(tokens, weight))


def flops_of(work: Callable[[], Any]) -> float:
    """Operations of the matrix products of one call; of attention too, but not on a CPU, where torch counts none."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def measure(kind: str, given: argparse.Namespace, frames: Tensor) -> tuple[dict[str, Any], dict[str, Any]]:
    """Frames a second of every way of one kind, in turns: a busy neighbor slows them all. Streams have delays too.

    And what the machine reaches in a plain matrix product in the same turns, of which each way has a share.
    """
    works, product = works_of(kind, given, frames), matrix_product(given)
    times: dict[str, list[float]] = {name: [] for name in works}
    products: list[float] = []
    for turn in range(given.number + 1):
        for name, (work, _, repeats) in works.items():
            taken = seconds_of(work, repeats, warm_up=0)
            times[name] += taken if turn else []  # the first turn warms up
        products += seconds_of(product, 8, warm_up=0) if turn else []
    row: dict[str, Any] = {name: rate(times[name], works[name][1]) for name in works}
    reached = flops_of(product) / statistics.median(products)
    shares = {name: flops_of(work) / labeled * row[name] / reached for name, (work, labeled, _) in works.items()}
    for name in works:
        if name.startswith("live"):
            delays = {"p50_ms": quantile(times[name], 0.5), "p99_ms": quantile(times[name], 0.99)}
            row[name] = {"frames_per_second": row[name], **delays}
    return row, {"flops": reached, "shares": shares}


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Measure all kinds at one shape."""
    frames = torch.randn(WINDOW + given.chunk + 8, WIDTHS[given.shape], device=given.device)
    results: dict[str, Any] = {"frames": {}, "products": {}}
    for kind in given.kinds:
        results["frames"][kind], results["products"][kind] = measure(kind, given, frames)
        show(given.shape, {kind: results["frames"][kind]}, results["products"])
    return results


def show(shape: str, results: dict[str, Any], products: dict[str, Any]) -> None:
    """Print frames a second, ratios to the published-style loop, and shares of the product rate."""
    table = Table(title=f"frames a second, {shape} shape, features to labels")
    for column in ("classifier", "way", "frames/s", "x published-style", "p50 ms", "p99 ms", "of the product rate"):
        table.add_column(column, justify="left" if column in ("classifier", "way") else "right")
    for kind, row in results.items():
        for way, value in row.items():
            speed = value["frames_per_second"] if isinstance(value, dict) else value
            delays = (f"{value['p50_ms']:.1f}", f"{value['p99_ms']:.1f}") if isinstance(value, dict) else ("", "")
            share = f"{products[kind]['shares'][way]:.2f}"
            table.add_row(kind, way, f"{speed:,.1f}", f"{speed / row['published']:.1f}", *delays, share)
        table.add_row(kind, f"matrix product, {products[kind]['flops'] / 1e12:.2f} TFLOP/s", *[""] * 4, "1.00")
    Console().print(table)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--layers", type=int, help="only so many of the shape's layers; all if left out")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="what the device is faster with if left out")
    parser.add_argument("--chunk", type=int, default=512, help="new frames of a chunk")
    parser.add_argument("--number", type=int, default=5, help="turns, in each of which every way is timed")
    parser.add_argument("--streams", type=int, nargs="*", help="1, 8, 64, 256 if left out, on a GPU 1024 too")
    parser.add_argument("--compiled", type=int, nargs="*", help="streams by one graph; on a GPU 1, 8 if left out")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    given.dtype = given.dtype or native(given.device)
    on_gpu = given.device.startswith("cuda")
    given.streams = [1, 8, 64, 256, *[1024] * on_gpu] if given.streams is None else given.streams
    given.compiled = [1, 8] * on_gpu if given.compiled is None else given.compiled
    SHAPES[given.shape]["num_hidden_layers"] = given.layers or SHAPES[given.shape]["num_hidden_layers"]
    results = run(given)
    settings = {name: value for name, value in vars(given).items() if name != "output"}
    part = f"_{given.layers}_layers" if given.layers else ""
    print(store(f"speed_{given.shape}_{given.device}{part}", {"settings": settings, **results}, given.output))


if __name__ == "__main__":
    main()
