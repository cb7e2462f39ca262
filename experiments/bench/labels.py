"""Frames a second of Disc and Gen for labels of more and more tokens: does the speed-up grow? For claim 12.

    python experiments/bench/labels.py --shape small          # some minutes on a CPU

Same random weights, features and window for all; a word is a token. Disc and Gen are timed in turn, three ways: the
published-style loop, in which Gen writes every token; our one pass and the trie over names of a verb, a noun and a tail
that follows from them, so that two tokens are decided and the others forced; and the same over 128 names in which every
word is decided, of eight words seven. All names of a list take as many decisions, so the random weights do not matter.
Results go to ``experiments/bench/results/labels_<shape>_<device>.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from statistics import mean, median
from typing import Any

from measure import seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from published_loop import PublishedLoop
from rich.console import Console
from rich.table import Table
from shapes import NOUNS, VERBS, make, native
from speed import CLASSES, KINDS, WIDTHS, WINDOW, chunk_batch, inference
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.readouts.trie import Edge, decisions
from gad_lightning.schema import FeatureSpec, Mode, Windows

TOKENS = (1, 2, 4, 6, 8)
BITS = 7
TAIL = ("to", "the", "large", "bowl", "beside", "it")


def told_names(words: int) -> list[str]:
    """Names of so many words, of which verb and noun alone differ; none is shorter, so that each takes as long.

    Example:
        >>> told_names(1)[1], told_names(4)[1]
        ('addsalt', 'add salt to the')
    """
    pairs = [(verb, noun) for verb in VERBS for noun in NOUNS][:CLASSES]
    return ["".join(pair) if words == 1 else " ".join([*pair, *TAIL[: words - 2]]) for pair in pairs]


def branching_names(words: int) -> list[str]:
    """128 names of so many words, each decided: the seven bits of the number, shared out to the words.

    Example:
        >>> branching_names(2)[:2], branching_names(8)[1]
        (['w0 w0', 'w0 w1'], 'w0 w0 w0 w0 w0 w0 w1 w0')
    """
    sizes = [2 ** (BITS // words + (place < BITS % words)) for place in range(words)]
    return [" ".join(f"w{digit}" for digit in digits) for digits in product(*map(range, sizes))]


NAMES: dict[str, Callable[[int], list[str]]] = {"told": told_names, "branching": branching_names}


def prepare(kind: str, shape: str, mode: Mode, chunk: int, device: str, names: Sequence[str]) -> Classifier:
    """A classifier of these names and the paper's CrossTask window."""
    windows, features = Windows(mode, WINDOW, chunk=chunk), FeatureSpec("random", 1.0, WIDTHS[shape])
    return make(KINDS[kind], shape, windows, features, names, device).eval()


def pair_of(make_work: Callable[[str], Callable[[], Any]], frames: int, repeats: int) -> dict[str, float]:
    """Frames a second of Disc and Gen, timed in turn so that both meet the same machine, and the quotient."""
    times: dict[str, list[float]] = {"Disc": [], "Gen": []}
    works = {kind: make_work(kind) for kind in times}
    for turn in range(repeats):
        for kind, work in works.items():
            times[kind] += seconds_of(work, 1, warm_up=int(turn == 0))
    rates = {kind: frames / median(found) for kind, found in times.items()}
    return {**rates, "speed_up": rates["Disc"] / rates["Gen"]}


def published(shape: str, frames: Tensor, words: int, repeats: int) -> dict[str, float]:
    """The published-style loop, one window a time."""

    def work(kind: str) -> Callable[[], Any]:
        classifier = prepare(kind, shape, "window", 128, str(frames.device), told_names(words))
        loop = PublishedLoop(classifier, generative=kind == "Gen", label_tokens=words)
        return lambda: loop.label(frames[:WINDOW])

    return pair_of(work, 1, repeats)


def one_pass(shape: str, frames: Tensor, names: Sequence[str], chunk: int, repeats: int) -> dict[str, float]:
    """Our one pass over a chunk, LoRA merged, and what the trie leaves to decide: of all names the same number."""
    batch, made = chunk_batch(frames[: WINDOW - 1 + chunk], WINDOW - 1), {}

    def work(kind: str) -> Callable[[], Any]:
        classifier = made[kind] = prepare(kind, shape, "one_pass", chunk, str(frames.device), names)
        classifier.backbone.merge()
        return inference(lambda: classifier.scores(batch))

    found = pair_of(work, chunk, repeats)
    return {**found, "decided": mean(depths(decisions(made["Gen"].writer.label_answers(0))).values())}


def depths(nodes: list[list[Edge]]) -> dict[int, int]:
    """Decisions that lead to each class.

    Example:
        >>> depths(decisions([[5, 6, 2], [5, 7, 2], [8, 2]]))
        {2: 1, 0: 2, 1: 2}
    """
    found, waiting = {}, [(0, 1)]
    while waiting:
        node, depth = waiting.pop()
        found |= {edge.classes[0]: depth for edge in nodes[node] if edge.node < 0}
        waiting += [(edge.node, depth + 1) for edge in nodes[node] if edge.node >= 0]
    return found


def show(rows: list[dict[str, Any]], shape: str) -> None:
    """Print the quotients."""
    table = Table(title=f"frames a second, Disc over Gen, {shape} shape")
    for column in ("tokens", "published-style", "ours, told", "decisions", "ours, branching", "decisions"):
        table.add_column(column, justify="right")
    for row in rows:
        ours = [f"{row[way][key]:.2f}" for way in NAMES for key in ("speed_up", "decided")]
        table.add_row(str(row["tokens"]), f"{row['published']['speed_up']:.2f}", *ours)
    Console().print(table)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=WIDTHS, default="small")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tokens", type=int, nargs="+", default=TOKENS, help="of a label, from 1 to 8")
    parser.add_argument("--chunk", type=int, default=512, help="new frames of a chunk")
    parser.add_argument("--number", type=int, default=15, help="windows timed in the published-style loop")
    parser.add_argument("--repeats", type=int, default=5, help="chunks timed")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    frames = torch.randn(WINDOW + given.chunk, WIDTHS[given.shape], device=given.device)
    rows = []
    for words in given.tokens:
        row: dict[str, Any] = {"tokens": words, "published": published(given.shape, frames, words, given.number)}
        for way, names in NAMES.items():
            row[way] = one_pass(given.shape, frames, names(words), given.chunk, given.repeats)
        rows.append(row)
    show(rows, given.shape)
    settings = {name: value for name, value in vars(given).items() if name != "output"}
    settings["dtype"] = native(given.device)
    print(store(f"labels_{given.shape}_{given.device}", {"settings": settings, "labels": rows}, given.output))


if __name__ == "__main__":
    main()
