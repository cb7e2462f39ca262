"""Training steps: window mode against one pass, and what writing answers costs.

    python experiments/bench/training.py --shape tiny

Window mode trains on a batch of windows with one query each, one pass on a chunk with a query at every frame; GAD
answers 1 query in 8 there, Gen all. A step is forward, backward and AdamW over what is trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from measure import rate, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from rich.console import Console
from rich.table import Table
from speed import CLASSES, KINDS, WIDTHS, WINDOW, chunk_batch, prepare

from gad_lightning.classifiers.base import Classifier
from gad_lightning.types import Batch

SHARE = {"Disc": {}, "GAD": {"answer_fraction": 0.125}, "Gen": {}}


def step_of(classifier: Classifier, batch: Batch, mixed: bool = False) -> Any:
    """A training step as a function; ``mixed`` is autocast to bfloat16."""
    optimizer = torch.optim.AdamW([weight for weight in classifier.parameters() if weight.requires_grad], lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(classifier.device.type, torch.bfloat16, enabled=mixed):
            losses = [loss.sum / loss.count for loss in classifier.losses(batch).values()]
        torch.stack(losses).sum().backward()
        optimizer.step()

    return step


def measure(kind: str, shape: str, device: str, size: int, chunk: int, repeats: int) -> dict[str, float]:
    """Seconds of a step and labeled frames a second, both ways."""
    generator = torch.Generator().manual_seed(0)
    window = prepare(kind, shape, "window", chunk, device).train()
    frames = torch.randn(size, WINDOW, 1, WIDTHS[shape], device=device)
    labels = torch.randint(1, CLASSES, (size,), generator=generator)
    batch = Batch.at_last_frames(frames, torch.full((size,), WINDOW))._replace(label=labels, uniform=torch.zeros(size))
    times = seconds_of(step_of(window, batch), repeats)
    row = {"window_seconds": 1 / rate(times, 1), "window_labeled_per_second": rate(times, size)}
    del window
    one_pass = prepare(kind, shape, "one_pass", chunk, device, **SHARE[kind]).train()
    batch = chunk_batch(torch.randn(WINDOW - 1 + chunk, WIDTHS[shape], device=device), WINDOW - 1)
    labels = torch.randint(1, CLASSES, (chunk,), generator=generator)
    draw = torch.rand(chunk, generator=generator)
    times = seconds_of(step_of(one_pass, batch._replace(label=labels, uniform=draw)), repeats)
    return {**row, "one_pass_seconds": 1 / rate(times, 1), "one_pass_labeled_per_second": rate(times, chunk)}


def show(shape: str, results: dict[str, dict[str, float]]) -> None:
    """Print steps, and ratios to Disc."""
    table = Table(title=f"training steps, {shape} shape")
    columns = ("classifier", "window s/step", "x Disc", "one pass s/step", "x Disc", "labeled/s, one pass over window")
    for column in columns:
        table.add_column(column, justify="right")
    first = results[next(iter(results))]
    for kind, row in results.items():
        ratios = [row[f"{way}_seconds"] / first[f"{way}_seconds"] for way in ("window", "one_pass")]
        gain = row["one_pass_labeled_per_second"] / row["window_labeled_per_second"]
        table.add_row(
            kind, f"{row['window_seconds']:.3f}", f"{ratios[0]:.2f}", f"{row['one_pass_seconds']:.3f}",
            f"{ratios[1]:.2f}", f"{gain:.1f}",
        )  # fmt: skip
    Console().print(table)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=8, help="windows of a batch")
    parser.add_argument("--chunk", type=int, default=256, help="new frames of the chunk")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    results = {kind: measure(kind, given.shape, given.device, given.size, given.chunk, given.repeats) for kind in KINDS}
    show(given.shape, results)
    settings = {name: value for name, value in vars(given).items() if name != "output"}
    print(store(f"training_{given.shape}_{given.device}", {"settings": settings, "steps": results}, given.output))


if __name__ == "__main__":
    main()
