"""Clips of COIN, ten tokens a frame, a label of four to six words a clip: the published-style loop against our batches.

    python experiments/bench/coin.py --shape tiny

Clips of 8 frames (step recognition), 48 (forecasting) and 1,200 (a whole video), random features and weights.
Results go to ``experiments/bench/results/coin_<shape>_<device>.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from measure import rate, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from published_loop import PublishedLoop
from rich.console import Console
from rich.table import Table
from shapes import NOUNS, VERBS, make
from speed import KINDS, WIDTHS, inference

from gad_lightning.schema import FeatureSpec, Windows

TOKENS, CLASSES, WORDS = 10, 749, 5  # words of a label on average
BATCHES = {8: 16, 48: 8, 1200: 1}
"""Clips of a batch, by their frames."""


def names() -> list[str]:
    """Background and class names of four, five and six words in turn."""
    pairs, links = [f"{verb} {noun}" for noun in NOUNS for verb in VERBS], ("", "and ", "and then ")
    both = [(one, other) for one in pairs[:30] for other in pairs[30:60]]
    return ["background", *(f"{one} {links[number % 3]}{other}" for number, (one, other) in enumerate(both))][:CLASSES]


def clips_a_second(kind: str, shape: str, frames: int, device: str, repeats: int) -> tuple[float, float]:
    """Of the published-style loop, and of ours in batches with the LoRA merged."""
    features = FeatureSpec("random", 1.0, WIDTHS[shape], TOKENS)
    classifier = make(KINDS[kind], shape, Windows("window", frames), features, names(), device).eval()
    clips = torch.randn(BATCHES[frames], frames, TOKENS, WIDTHS[shape], device=device)
    loop = PublishedLoop(classifier, kind == "Gen", WORDS)
    published = rate(seconds_of(lambda: loop.label(clips[0]), repeats), 1)
    classifier.backbone.merge()
    return published, rate(seconds_of(inference(lambda: classifier(clips)), repeats), len(clips))


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--frames", type=int, nargs="+", choices=BATCHES, default=list(BATCHES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    table = Table("classifier", "frames", "published-style, clips/s", "ours, clips/s", "x")
    results = []
    for kind in KINDS:
        for frames in given.frames:
            published, ours = clips_a_second(kind, given.shape, frames, given.device, given.repeats)
            results.append({"classifier": kind, "frames": frames, "published": published, "ours": ours})
            table.add_row(kind, f"{frames:,}", f"{published:,.2f}", f"{ours:,.2f}", f"{ours / published:.1f}")
    Console().print(table)
    print(store(f"coin_{given.shape}_{given.device}", {"clips": results}, given.output))


if __name__ == "__main__":
    main()
