"""Peak memory and step time of GAD training: LoRA, QLoRA, gradient checkpointing, against the published-style step.

    python experiments/bench/memory.py --shape small
    python experiments/bench/memory.py --shape 1b --no_arithmetic      # on a CPU: memory alone

Every way of training is a process of its own. Memory is what the training steps hold at most, beyond what the process
held before the model was made: of the GPU where there is one, resident memory otherwise, where every block above a
megabyte goes back to the system as soon as it is free. The published-style step
computes the language model's head at every position of every window, in float32, and keeps two float32 moments of every
trained weight; it is compared with ours on the same frames, in the same run.

``--no_arithmetic`` computes nothing on large tensors: every one is allocated, kept and freed as ever, on the CPU, and
the address space in use is noted after each operation. So the memory of a large model is found where its products would
take hours; there are no times.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from measure import seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from rich.console import Console
from rich.table import Table
from shapes import ShapedLM, class_names
from speed import CLASSES, WIDTHS, WINDOW
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task, Windows
from gad_lightning.types import IGNORED, Batch

PAGE = os.sysconf("SC_PAGE_SIZE")
LARGE = 2**16
"""Tensors below this size are computed in any case: places, counts, labels."""


class Way(NamedTuple):
    """One way of training."""

    quantization: str | None = None
    gradient_checkpointing: bool = False
    optimizer: str = "AdamW"
    published: bool = False


WAYS = {
    "published style": Way(published=True),
    "LoRA": Way(),
    "LoRA, checkpointing": Way(gradient_checkpointing=True),
    "nf4, AdamW8bit": Way("nf4", optimizer="AdamW8bit"),
    "nf4, AdamW8bit, checkpointing": Way("nf4", True, "AdamW8bit"),
}


class NoArithmetic(TorchDispatchMode):
    """Makes what an operation on large tensors gives without computing it, and notes the address space in use."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = address_space()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace one operation."""
        schema, kwargs = func._schema, kwargs or {}
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        viewing = any(value.alias_info is not None and not value.alias_info.is_write for value in schema.returns)
        if viewing or all(tensor.numel() < LARGE for tensor in tensors):
            return func(*args, **kwargs)
        if schema.is_mutable:
            return args[0] if schema.returns else None
        device = kwargs.get("device") or tensors[0].device
        told = {**kwargs, "device": "meta"} if "device" in kwargs else kwargs
        shapes = func(*tree_map_only(Tensor, as_meta, args), **tree_map_only(Tensor, as_meta, told))
        made = tree_map_only(
            Tensor,
            lambda like: torch.empty_strided(like.size(), like.stride(), dtype=like.dtype, device=device),
            shapes,
        )
        self.peak = max(self.peak, address_space())
        return made


def as_meta(tensor: Tensor) -> Tensor:
    """Shape and format of a tensor, without its values."""
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")


def address_space() -> float:
    """Megabytes that are allocated in this process, whether they were ever written or not."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * PAGE / 2**20


def make(shape: str, way: Way) -> GADClassifier:
    """GAD on a decoder of that shape, bfloat16 for ``1b`` and float32 for others, LoRA on the head too."""
    rank = 128 if shape == "1b" else 32
    backbone = ShapedLM(
        shape,
        lora={"r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.05},
        lora_on_head=True,
        dtype="bfloat16" if shape == "1b" else "float32",
        quantization=way.quantization,
        gradient_checkpointing=way.gradient_checkpointing,
    )
    features = FeatureSpec("random", 1.0, WIDTHS[shape])
    labels = LabelSet(tuple(class_names(CLASSES)), 0)
    schema = DataSchema((Task("action", labels),), (), features, Windows(short=WINDOW))
    return GADClassifier(backbone=backbone, schema=schema).train()


def published_losses(classifier: GADClassifier, batch: Batch) -> Tensor:
    """Class loss and token loss as published: the head over all tokens of all windows, then the supervised ones."""
    tokens = classifier.backbone.place(classifier.render(batch, classifier.objectives[0].text(batch)))
    states = classifier.backbone(tokens, classifier.frames(batch))
    logits = classifier.backbone.causal_lm.get_output_embeddings()(states).float()
    written = cross_entropy(logits.flatten(0, 1), tokens.target.flatten(), reduction="none", ignore_index=IGNORED)
    supervised = (tokens.target != IGNORED).sum(1).clamp(min=1)
    chosen = classifier.classify(tokens.at_slots(states), batch.task)
    label = batch.label.to(chosen.device)
    return cross_entropy(chosen.float(), label) + (written.view_as(tokens.target).sum(1) / supervised).mean()


def our_losses(classifier: GADClassifier, batch: Batch) -> Tensor:
    """The losses of a training step."""
    return torch.stack([loss.sum / loss.count for loss in classifier.losses(batch).values()]).sum()


def step_of(classifier: GADClassifier, way: Way, batch: Batch, mixed: bool) -> Callable[[], None]:
    """A training step as a function; ``mixed`` is autocast to bfloat16."""
    import bitsandbytes

    home: Any = torch.optim if way.optimizer == "AdamW" else bitsandbytes.optim
    trained = [weight for weight in classifier.parameters() if weight.requires_grad]
    optimizer = getattr(home, way.optimizer)(trained, lr=1e-4, weight_decay=0.0)
    losses = published_losses if way.published else our_losses
    for weight in trained:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()  # makes the moments: the first step measured is like any later one

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(batch.frames.device.type, torch.bfloat16, enabled=mixed):
            loss = losses(classifier, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    return step


def resident(what: str = "VmRSS") -> float:
    """Megabytes that this process holds, or held at most (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 2**10


def forget_peak() -> None:
    """Give back free memory and let the peak start from what is held now."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def prepared(name: str, shape: str, size: int, device: str) -> tuple[GADClassifier, Callable[[], None]]:
    """A classifier and its training step."""
    classifier = make(shape, WAYS[name]).to(device)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(size, WINDOW, 1, WIDTHS[shape], generator=generator).to(device)
    labels = torch.randint(1, CLASSES, (size,), generator=generator)
    batch = Batch.at_last_frames(frames, torch.full((size,), WINDOW))
    batch = batch._replace(label=labels, uniform=torch.zeros(size))
    return classifier, step_of(classifier, WAYS[name], batch, mixed=shape == "1b")


def measure(name: str, shape: str, size: int, device: str, repeats: int) -> dict[str, float]:
    """Train a few steps in this process."""
    prepared(name, "tiny", 1, device)[1]()  # imports what is imported late, which is no model's memory
    forget_peak()
    before = resident()
    classifier, step = prepared(name, shape, size, device)
    forget_peak()
    held = torch.cuda.memory_allocated() / 2**20 if device == "cuda" else resident() - before
    times = seconds_of(step, repeats)
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else resident("VmHWM") - before
    return {"held_mb": held, "peak_mb": peak, "seconds": min(times), "trained": trained_by(classifier)}


def count(name: str, shape: str, size: int) -> dict[str, float]:
    """Go through one training step without arithmetic."""
    prepared(name, "tiny", 1, "cpu")[1]()
    forget_peak()
    before = address_space()
    with NoArithmetic() as counting:
        classifier, step = prepared(name, shape, size, "cpu")
        forget_peak()
        held = counting.peak = address_space()
        step()
    return {"held_mb": held - before, "peak_mb": counting.peak - before, "trained": trained_by(classifier)}


def trained_by(classifier: GADClassifier) -> int:
    """Number of trained weights."""
    return sum(weight.numel() for weight in classifier.parameters() if weight.requires_grad)


def in_a_process(name: str, arguments: list[str]) -> dict[str, float]:
    """Measure one way in a process of its own."""
    command = [sys.executable, __file__, f"--only={name}", *arguments]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(shape: str, results: dict[str, dict[str, float]], timed: bool) -> None:
    """Print peaks and times, and both relative to the published style."""
    table = Table(title=f"GAD training steps, {shape} shape")
    for column in ("way", "weights and moments MB", "peak MB", "x published", "s/step", "x published"):
        table.add_column(column, justify="right")
    first = next(iter(results.values()))
    for name, row in results.items():
        seconds = [f"{row['seconds']:.2f}", f"{row['seconds'] / first['seconds']:.2f}"] if timed else ["-", "-"]
        share = f"{row['peak_mb'] / first['peak_mb']:.2f}"
        table.add_row(name, f"{row['held_mb']:.0f}", f"{row['peak_mb']:.0f}", share, *seconds)
    Console().print(table)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=WIDTHS, default="small")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=8, help="windows of a batch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no_arithmetic", action="store_true")
    parser.add_argument("--only", choices=WAYS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    if given.only:
        work = (given.only, given.shape, given.size)
        row = count(*work) if given.no_arithmetic else measure(*work, given.device, given.repeats)
        sys.stdout.write(f"{json.dumps(row)}\n")
        return
    results = {name: in_a_process(name, sys.argv[1:]) for name in WAYS}
    show(given.shape, results, not given.no_arithmetic)
    settings = {name: value for name, value in vars(given).items() if name not in ("output", "only")}
    settings["bitsandbytes"] = importlib.metadata.version("bitsandbytes")
    name = f"{'memory' if given.no_arithmetic else 'steps'}_{given.shape}_{given.device}"
    print(store(name, {"settings": settings, "ways": results}, given.output))


if __name__ == "__main__":
    main()
