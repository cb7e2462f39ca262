"""How near window mode, LoRA merged and windows in batches, comes to the published-style loop in bfloat16.

    python experiments/bench/agreement.py                     # the Llama-3.2-1B shape
    python experiments/bench/agreement.py --shape small --dtype float32

The same random weights and features for both, a LoRA that is not zero, float32 as published. Classes of random weights
lie closer together than those of a trained head: ``margin`` is the median lead of the first class over the second, in
the published-style loop's log-probabilities, and ``largest`` the largest difference of one. Results go to
``experiments/bench/results/agreement_<shape>_<device>.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from measure import store  # isort: skip  # sets how threads wait, before torch is there
import torch
from published_loop import PublishedLoop
from rich.console import Console
from rich.table import Table
from shapes import native
from speed import KINDS, WIDTHS, WINDOW, prepare

from gad_lightning.classifiers.base import Classifier


def shake_lora(classifier: Classifier) -> None:
    """Give the LoRA values: it begins as zero, where merging could not go wrong."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in classifier.backbone.named_parameters():
        if "lora_B" in name:
            weight.data.copy_(torch.randn(weight.shape, generator=generator) * 0.002)


def measure(kind: str, shape: str, device: str, dtype: Any, number: int) -> dict[str, float]:
    """Label windows both ways."""
    classifier = prepare(kind, shape, "window", 128, device, dtype=dtype).eval()
    shake_lora(classifier)
    frames = torch.randn(WINDOW + number, WIDTHS[shape], generator=torch.Generator().manual_seed(2)).to(device)
    windows = torch.stack([frames[end : end + WINDOW] for end in range(number)])
    loop, logits = PublishedLoop(classifier, generative=False), []
    choose = loop.choose
    loop.choose = lambda state: (
        logits.append(  # type: ignore[method-assign]  # a listener
            classifier.classify(state.unsqueeze(0).float(), torch.zeros(1, dtype=torch.int64))
        )
        or choose(state)
    )
    labels = [loop.label(window) for window in windows]
    published = torch.cat(logits).log_softmax(1)
    drift = classifier.backbone.merge()
    with torch.inference_mode():
        ours = torch.cat([classifier(part) for part in windows.split(8)]).log_softmax(1)
    first, second = published.topk(2, 1).values.T
    return {
        "windows": number,
        "same_labels": sum(loop.names[best] == label for best, label in zip(ours.argmax(1), labels, strict=True)),
        "largest": float((published - ours).abs().max()),
        "median": float((published - ours).abs().median()),
        "margin": float((first - second).median()),
        "drift": drift,
    }


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=WIDTHS, default="1b")
    parser.add_argument(
        "--kinds", nargs="+", choices=[kind for kind in KINDS if kind != "Gen"], default=["Disc", "GAD"]
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="what the device is faster with if left out")
    parser.add_argument("--number", type=int, default=32, help="windows")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    given.dtype = given.dtype or native(given.device)
    results = {kind: measure(kind, given.shape, given.device, given.dtype, given.number) for kind in given.kinds}
    columns = ("windows", "same_labels", "largest", "median", "margin", "drift")
    table = Table("classifier", *columns, title=f"window mode against the published-style loop, {given.dtype}")
    for kind, row in results.items():
        table.add_row(kind, *(f"{row[name]:.4g}" for name in columns))
    Console().print(table)
    settings = {name: value for name, value in vars(given).items() if name != "output"}
    name = f"agreement_{given.shape}_{given.device}"
    print(store(name, {"settings": settings, "agreement": results}, given.output))


if __name__ == "__main__":
    main()
