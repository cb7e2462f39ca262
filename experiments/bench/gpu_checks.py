"""Whether the GPU computes what the CPU does, FlexAttention what ``sdpa`` does, and a CUDA graph what plain code does.

``relative`` is the norm of the difference of all slot states over the norm of the CPU's, which are computed in float32;
``cpu_relative`` the same of the CPU in the number format checked. A row is ``ok`` below 1e-4 in float32 and below 0.03
in bfloat16.
"""

from __future__ import annotations

import argparse
import copy
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from agreement import shake_lora
from speed import CLASSES, KINDS, WIDTHS, WINDOW, chunk_batch, prepare
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.training.distribution import average
from gad_lightning.types import Batch, Predictions

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {torch.float32: 1e-4, torch.bfloat16: 3e-2}
CHUNK = 32


def tests(rows: Any, given: argparse.Namespace) -> None:
    """The tests marked gpu, some at a time."""

    def work() -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "gpu",
            "tests/gpu",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
        ]
        if given.device == "cuda":
            command += ["-n", "6"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        (given.output / "gpu_tests.log").write_text(done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        failed = [line.split(" - ")[0] for line in lines if re.match("(FAILED|ERROR) ", line)]
        return {"ok": done.returncode == 0, "outcome": lines[-1] if lines else done.stderr[-300:], "failed": failed}

    rows.add("tests", work)


def agreement(rows: Any, given: argparse.Namespace) -> None:
    """Every classifier against the CPU, by windows, in one pass and live."""
    shape = "small" if "small" in given.shape else "tiny"
    for dtype in ("float32", "bfloat16"):
        for kind in KINDS:
            for way in ("window", "one_pass", "live"):
                name = f"agreement, {shape}, {kind}, {way}, {dtype}"
                rows.add(name, partial(against_cpu, kind, shape, way, dtype, given.device))
    if "1b" in given.shape and given.device != "cpu":
        rows.add(
            "agreement, 1b, Disc, one_pass, bfloat16",
            partial(against_cpu, "Disc", "1b", "one_pass", "bfloat16", "cuda"),
        )


def against_cpu(kind: str, shape: str, way: str, dtype: Any, device: str) -> dict[str, Any]:
    """Slot states and labels of one classifier on both, LoRA apart."""
    there = prepare(kind, shape, "window" if way == "window" else "one_pass", CHUNK, device, dtype=dtype).eval()
    shake_lora(there)
    frames = torch.randn(WINDOW + CHUNK + 8, WIDTHS[shape])
    exact = copy.deepcopy(there).float().cpu()
    expected, found = said(exact, way, frames), said(there, way, frames)
    row: dict[str, Any] = {"relative": relative(found.slot_states, expected.slot_states)}
    if dtype == "bfloat16" and shape != "1b" and way != "live":
        row["cpu_relative"] = relative(said(copy.deepcopy(there).cpu(), way, frames).slot_states, expected.slot_states)
    alike = (found.label.cpu() == expected.label).float().mean()
    return {**row, "same_labels": float(alike), "ok": row["relative"] < LIMITS[getattr(torch, dtype)]}


@torch.inference_mode()
def said(classifier: Classifier, way: str, frames: Tensor) -> Predictions:
    """Predictions of some frames."""
    shown = frames.to(classifier.device)
    if way == "window":
        windows = torch.stack([shown[end : end + WINDOW] for end in range(8)]).unsqueeze(2)
        return classifier.scores(Batch.at_last_frames(windows, torch.tensor([WINDOW, WINDOW - 9] * 4)))
    if way == "one_pass":
        return classifier.scores(chunk_batch(shown[: WINDOW - 1 + CHUNK], WINDOW - 1))
    detector = OnlineDetector(classifier, 2)
    both = [detector.push(shown[[moment, moment + 8]]) for moment in range(CHUNK + 20)]
    return joined(both)


def joined(parts: list[Predictions]) -> Predictions:
    """Predictions one after the other."""
    columns = [torch.cat(columns) for columns in zip(*(part[:8] for part in parts), strict=True)]  # nothing is rejected
    return Predictions(*columns)


def relative(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what is expected; infinite where something is no number."""
    far = float((found.float().cpu() - expected.float().cpu()).norm() / expected.float().cpu().norm())
    return far if far == far else float("inf")


def training_batch(shape: str, device: str, samples: int = 1, chunk: int = 256) -> Batch:
    """Chunks with a label at every new frame."""
    batch = chunk_batch(torch.randn(WINDOW - 1 + chunk, WIDTHS[shape], device=device), WINDOW - 1, samples)
    return batch._replace(label=torch.randint(1, CLASSES, batch.label.shape), uniform=torch.rand(batch.label.shape))


def flex(rows: Any, given: argparse.Namespace) -> None:
    """FlexAttention against ``sdpa`` on the same device: scores, gradients, time."""
    for shape in given.shape:
        for dtype in ("float32", "bfloat16") if shape != "1b" else ("bfloat16",):
            rows.add(f"flex, {shape}, {dtype}", partial(flex_against_sdpa, shape, dtype, given.device))


def flex_against_sdpa(shape: str, dtype: Any, device: str) -> dict[str, Any]:
    """Slot states and, on a GPU, gradients of GAD both ways."""
    classifier = prepare("GAD", shape, "one_pass", 256, device, dtype=dtype)
    shake_lora(classifier)
    batch, found = training_batch(shape, device), {}
    for way in ("sdpa", "flex"):
        classifier.backbone.attention = way
        with torch.inference_mode():
            slots = classifier.eval().scores(batch).slot_states
        gradient = torch.zeros(1) if device == "cpu" else gradient_of(classifier.train(), batch, dtype == "bfloat16")
        found[way] = slots, gradient
    scores, gradients = ([found[way][part] for way in ("flex", "sdpa")] for part in (0, 1))
    limit = LIMITS[getattr(torch, dtype)]
    row = {"relative": relative(*scores), "gradient_relative": relative(*gradients) if device != "cpu" else 0.0}
    return {**row, "ok": row["relative"] < limit and row["gradient_relative"] < 3 * limit}


def gradient_of(classifier: Classifier, batch: Batch, mixed: bool) -> Tensor:
    """Gradient of the training loss in what is trained, as one vector."""
    classifier.zero_grad()
    with torch.autocast(classifier.device.type, torch.bfloat16, enabled=mixed):
        loss = average(classifier.losses(batch), 1)[0]
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in classifier.parameters() if weight.grad is not None])


def streams(rows: Any, given: argparse.Namespace) -> None:
    """Compiled streams, on a GPU by a CUDA graph, against plain ones."""
    shape = "small" if "small" in given.shape else "tiny"
    for kind in KINDS if given.device != "cpu" else ("Disc",):
        rows.add(f"streams, {shape}, {kind}", partial(compiled_against_plain, kind, shape, given.device))


def compiled_against_plain(kind: str, shape: str, device: str) -> dict[str, Any]:
    """Slot states of four streams that stall, float32, and whether a CUDA graph was used."""
    from torch._dynamo.utils import counters

    counters.clear()
    classifier = prepare(kind, shape, "one_pass", CHUNK, device, dtype="float32").eval()
    shake_lora(classifier)
    classifier.backbone.merge()
    frames, generator = torch.randn(4, 40, WIDTHS[shape], device=device), torch.Generator().manual_seed(1)
    plain, compiled = OnlineDetector(classifier, 4), OnlineDetector(classifier, 4, compiled=True)
    expected, found, first = [], [], 0.0
    for moment in range(40):
        ready = [one for one in range(4) if torch.rand(1, generator=generator) < 0.7] or [moment % 4]
        expected.append(plain.push(frames[ready, moment], ready))
        start = time.monotonic()
        found.append(compiled.push(frames[ready, moment], ready))
        first = first or time.monotonic() - start
    far, skips = (
        relative(joined(found).slot_states, joined(expected).slot_states),
        counters["inductor"]["cudagraph_skips"],
    )
    return {"relative": far, "first_push_seconds": first, "graphs_left_out": skips, "ok": far < 1e-4 and not skips}
