"""Write a discriminative or GAD classifier as one file that runs without this library: torch, ONNX, or compiled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely
from gad_lightning.exporting.formats import Format, Program, Run, format_of, write
from gad_lightning.exporting.live_step import LiveStep, check_live
from gad_lightning.exporting.pieces import check_exportable
from gad_lightning.exporting.whole_window import WholeWindow
from gad_lightning.parts import ALLOWED_PACKAGES, describe
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.chosen import task_index

DRIFT = 1e-4
"""Largest difference of a log-probability between file and classifier that is put down to the order of sums."""
MOST_STEPS = 100
"""Steps of live streams after which a written program is no longer compared."""


def export_classifier(classifier: Classifier, output: Path, task: int = 0, format: Format | None = None) -> float:
    """Write a classifier as a program of whole windows: (B, F, N, D) float32 -> (B, C) log-probabilities.

    Batch and number of frames stay free, the latter up to the classifier's window. To use the file of torch.export::

        about = {"gad_lightning.json": ""}
        program = torch.export.load("classifier.pt2", extra_files=about).module()
        log_probabilities = program(frames)

    Args:
        classifier: discriminative or GAD; its LoRA is merged.
        output: the file.
        task: index into the schema's tasks.
        format: by default by the file's suffix: ``.pt2`` or ``.onnx``.

    Returns:
        Largest difference of a log-probability between the file's program and the classifier before.

    Raises:
        SettingError: if it cannot be exported, or the program differs by more than rounding.
    """
    kind = format_of(output, format)
    check_exportable(classifier)
    if kind == "onnx":
        classifier.float()
    classifier.eval()
    spec, windows = classifier.schema.features, classifier.schema.windows
    generator = torch.Generator().manual_seed(0)
    sizes = [(2, min(3, windows.frames)), (1, windows.frames), (3, 1)]
    tried = [torch.randn(*size, spec.tokens_per_frame, spec.width, generator=generator) for size in sizes]
    classes = len(classifier.schema.tasks[task].labels.names)
    with torch.no_grad():
        expected = [classifier.cpu()(frames, task=task)[:, :classes] for frames in tried]
    program = Program(WholeWindow(classifier, task), {"frames": tried[0]}, (0, 1), ("scores",))
    seen = _Drift([((frames,), scores) for frames, scores in zip(tried, expected, strict=True)])
    about = _about(classifier, task) | {"most_frames": windows.frames}
    write(program, about, output, kind, seen.check)
    return seen.largest


def export_step(
    classifier: Classifier, output: Path, task: int = 0, format: Format | None = None, steps: int = MOST_STEPS
) -> float:
    """Write one step of live streams as a program: frames, their numbers and rings, to scores and rings.

    The number of streams stays free. What streams keep begins as zeros; its names and shapes stand in the description
    under ``keeps``. To use the file of torch.export::

        program = torch.export.load("step.pt2").module()
        scores, *kept = program(frames, numbers, *kept)  # (S, N, D), (S,) int64 from 0 on -> (S, C), what is kept

    Args:
        classifier: discriminative or GAD, of ``one_pass`` mode; its LoRA is merged.
        output: the file.
        task: index into the schema's tasks.
        format: by default by the file's suffix: ``.pt2`` or ``.onnx``.
        steps: frames that are compared with an :class:`OnlineDetector` at most; fewer if a seam of chunks comes before.

    Returns:
        Largest difference of a log-probability between the file's program and the detector.

    Raises:
        SettingError: if it cannot be exported, or the program differs by more than rounding.
    """
    kind = format_of(output, format)
    check_live(classifier)
    classifier.float()  # also where it is bfloat16: zeros of one format begin every stream
    spec, windows = classifier.schema.features, classifier.schema.windows
    classes = len(classifier.schema.tasks[task].labels.names)
    tried = torch.randn(
        min(steps, windows.chunk + 2), 3, spec.tokens_per_frame, spec.width, generator=torch.Generator().manual_seed(0)
    )
    detector = OnlineDetector(classifier.cpu(), 3, task=task)
    expected = [detector.push(frames).scores[:, :classes] for frames in tried]
    step = LiveStep(classifier, task)
    kept = step.empty(3)
    given = {"frames": tried[0], "frame": torch.zeros(3, dtype=torch.int64), **kept}
    program = Program(step, given, (0,), ("scores", *(f"new_{name}" for name in kept)))
    seen = _Drift([((frames, torch.full((3,), n)), expected[n]) for n, frames in enumerate(tried)], list(kept.values()))
    keeps = [
        {"name": name, "shape": list(part.shape[1:]), "dtype": str(part.dtype).removeprefix("torch.")}
        for name, part in kept.items()
    ]
    write(program, _about(classifier, task) | {"keeps": keeps}, output, kind, seen.check)
    return seen.largest


class _Drift:
    """Compares a written program with what the classifier gave.

    Args:
        pairs: inputs and scores, in turn.
        kept: further inputs, which each run gives anew after its scores.
    """

    def __init__(self, pairs: Sequence[tuple[tuple[Tensor, ...], Tensor]], kept: Sequence[Tensor] = ()) -> None:
        self.pairs, self.kept = pairs, kept
        self.largest = 0.0

    def check(self, run: Run) -> None:
        """Run all inputs, and note the largest difference.

        Raises:
            SettingError: if it is more than rounding.
        """
        kept = self.kept
        with torch.no_grad():
            for given, expected in self.pairs:
                scores, *kept = run([*given, *kept])
                self.largest = max(self.largest, float((scores - expected).abs().max()))
        if not self.largest <= DRIFT:
            raise SettingError(
                f"The exported program differs from the classifier by {self.largest:.2g}, more than {DRIFT:g}.",
                "load the checkpoint with backbone.dtype=float32: merging a LoRA into bfloat16 weights rounds them",
            )


def _about(classifier: Classifier, task: int) -> dict[str, object]:
    """What the file says of itself."""
    schema, asked = classifier.schema, classifier.schema.tasks[task]
    fitted = classifier.decisions.get(asked.name)
    return {
        "classes": list(asked.labels.names),
        "task": asked.name,
        "several_labels": asked.labels.multi_label,
        "features": describe(schema.features)["init_args"] | {"mean": None, "std": None},  # the program standardizes
        "temperature": 1.0 if fitted is None else fitted.temperature.value,
        "decisions": classifier.about_decisions().get(asked.name),
    }


def main(
    checkpoint: str,
    output: Path,
    step: bool = False,
    format: Format | None = None,
    task: str | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Write a classifier as a file that runs without this library, transformers or peft.

    Args:
        checkpoint: .ckpt file or its URL, folder of save_pretrained, or name on the hub.
        output: file to write, such as classifier.pt2 or classifier.onnx.
        step: write one step of live streams instead of whole windows; for classifiers of one_pass mode.
        format: torch, onnx, or aoti (compiled for this machine, needs a C++ compiler); by default by the file's name.
        task: name of the task; the first by default.
        allowed: further packages whose classes the checkpoint may name.
    """
    format_of(output, format)  # before a classifier is loaded
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    classifier = Classifier.from_pretrained(checkpoint, allowed=packages)
    chosen = task_index(classifier.schema, task)
    drift = (export_step if step else export_classifier)(classifier, output, chosen, format)
    print_safely(f"{output}: scores differ from the classifier's by at most {drift:.1g}")
