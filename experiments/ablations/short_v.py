"""What is lost if the tokens of frames skip layers without training, as in ShortV (arXiv 2504.00502, section 3).

    python experiments/ablations/short_v.py RUN --output experiments/ablations/results/short_v_NAME.json

A frozen token leaves a layer as it came, without attention and feed-forward part; others see it there as it is. A layer
contributes the mean KL divergence of the class probabilities with all layers from those with frames frozen in this one.
Layers are frozen in the order of what they contribute on validation videos, the least first, one more each time. The
most that lose no more than ``--loss`` of segment-F1 and accuracy there are chosen. Test videos are only measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from gad_lightning import Classifier
from gad_lightning.classifiers.calibration import observed_in
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.steady import accuracy, segment_score
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.tools.run_data import data_of
from gad_lightning.types import Kind, Tokens

Output = Tensor | tuple[Tensor, ...]


@contextmanager
def frozen_in(backbone: Any, layers: Sequence[int]) -> Iterator[None]:
    """Let the tokens of frames, and the separators before them, leave some layers as they came."""
    kinds: list[Tensor] = []

    def remember(module: nn.Module, inputs: tuple[Tokens, ...]) -> None:
        """Note what the tokens of this pass are."""
        kinds[:] = [inputs[0].places.kind]

    def freeze(module: nn.Module, inputs: tuple[Tensor, ...], output: Output) -> Output:
        """Put what came back where frames are."""
        states, *more = output if isinstance(output, tuple) else (output,)
        kept = torch.where((kinds[0] == Kind.FRAME).unsqueeze(2), inputs[0], states)
        return (kept, *more) if isinstance(output, tuple) else kept

    handles = [backbone.register_forward_pre_hook(remember)]
    handles += [backbone.blocks[layer].register_forward_hook(freeze) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def seen_with(classifier: Classifier, data: ActionDataModule, split: Split, layers: Sequence[int]) -> Observed:
    """Score every frame of a split, frames frozen in some layers."""
    with torch.inference_mode(), frozen_in(classifier.backbone, layers):
        where = torch.device(classifier.device)
        return observed_in(data, classifier.score_in_evaluation, where, classifier.schema, 0, split)


def divergence(whole: Observed, other: Observed) -> float:
    """Mean KL divergence of two runs' class probabilities, in nats."""
    first, second = (torch.from_numpy(seen.scores).log_softmax(1) for seen in (whole, other))
    return float((first.exp() * (first - second)).sum(1).mean())


def figures(seen: Observed) -> dict[str, float]:
    """Segment-F1 and frame accuracy of the likeliest class."""
    found = seen.scores.argmax(1)
    return {"segment_f1": segment_score(seen, found), "accuracy": accuracy(seen, found)}


def chosen(rows: Sequence[dict[str, Any]], loss: float) -> int:
    """The most frozen layers that lose no more on validation than is allowed, in both figures."""
    first = rows[0]["val"]
    kept = [all(row["val"][name] >= first[name] - loss for name in first) for row in rows]
    return int(np.flatnonzero(kept)[-1])


def measure(classifier: Classifier, data: ActionDataModule, loss: float, most: int) -> dict[str, Any]:
    """Order the layers and measure both splits with more and more of them frozen."""
    depth = len(classifier.backbone.blocks)
    whole = seen_with(classifier, data, "val", ())
    share = [divergence(whole, seen_with(classifier, data, "val", [layer])) for layer in range(depth)]
    order = [int(layer) for layer in np.argsort(share, kind="stable")]
    rows: list[dict[str, Any]] = []
    for count in range(min(depth, most) + 1):
        frozen = sorted(order[:count])
        splits: tuple[Split, ...] = ("val", "test")
        rows.append({"frozen": frozen, **{way: figures(seen_with(classifier, data, way, frozen)) for way in splits}})
        print(rows[-1], flush=True)
    spec = classifier.schema.features
    about = {"layers": depth, "tokens_per_frame": spec.tokens_per_frame, "fps": spec.fps, "contribution": share}
    return {**about, "loss": loss, "chosen": chosen(rows, loss), "rows": rows}


def show(found: dict[str, Any]) -> None:
    """Print the curve."""
    table = Table(title=f"{found['layers']} layers, {found['tokens_per_frame']} tokens a frame")
    for column in ("frozen in", "val segment-F1", "val accuracy", "test segment-F1", "test accuracy"):
        table.add_column(column, justify="right")
    for count, row in enumerate(found["rows"]):
        cells = [f"{row[way][name]:.3f}" for way in ("val", "test") for name in ("segment_f1", "accuracy")]
        table.add_row(f"{count} layers" + " (chosen)" * (count == found["chosen"]), *cells)
    Console(width=110).print(table)


def main() -> None:
    """Measure a run, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--loss", type=float, default=0.005, help="of segment-F1 and accuracy on validation")
    parser.add_argument("--most", type=int, default=1000, help="layers frozen at most")
    parser.add_argument("--output", type=Path, help="JSON file")
    given = parser.parse_args()
    checkpoint = chosen_checkpoint(given.run)
    if checkpoint is None:
        raise SystemExit(f"{given.run} has no checkpoint")
    data = data_of(given.run, ALLOWED_PACKAGES, checkpoint)
    classifier = Classifier.load_from_checkpoint(checkpoint, "cpu", ALLOWED_PACKAGES).eval()
    classifier.backbone.merge()
    found = measure(classifier, data, given.loss, given.most)
    show(found)
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
