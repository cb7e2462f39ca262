"""Write a discriminative or GAD classifier as one torch.export file that runs without this library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gad_lightning.atomic import atomic_write
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES, describe
from gad_lightning.types import Batch, Kind

ABOUT = "gad_lightning.json"
"""Name of the description inside the file: classes, features, most frames, fitted decisions."""
DRIFT = 1e-4
"""Largest difference of a log-probability between file and classifier that is put down to the order of sums."""


class WholeWindow(nn.Module):
    """A classifier as a plain function of whole windows: no padding, no branches but the last frame's, no mask.

    Args:
        classifier: on any device; its LoRA is merged into its weights, which cannot be undone.
        task: index into the schema's tasks.

    Raises:
        SettingError: if it writes its answer, has a memory, is quantized, or its backbone is no language model of
            transformers.
    """

    before: Tensor
    between: Tensor
    connector: nn.Module
    decoder: nn.Module
    after: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, classifier: Classifier, task: int = 0) -> None:
        super().__init__()
        backbone = classifier.backbone
        if not isinstance(classifier, DiscriminativeClassifier) or backbone.decoder is None:
            raise SettingError(
                f"A {type(classifier).__name__} on a {type(backbone).__name__} cannot be exported: only a head at one "
                "state of a language model of transformers is one function of the frames.",
                "export a DiscriminativeClassifier or GADClassifier",
            )
        if classifier.memory is not None:
            raise SettingError(
                "A classifier with model.memory cannot be exported: its answers depend on those it gave before.",
                "train without model.memory, or use the classifier itself",
            )
        spec = classifier.schema.features
        shown = torch.zeros(1, 2, spec.tokens_per_frame, spec.width, device=classifier.device)
        tokens = backbone.place(classifier.render(Batch.at_last_frames(shown, torch.tensor([2]), task)))
        with torch.no_grad():
            vectors = backbone.embed(tokens, shown)[0]
        kind, visual = tokens.places.kind[0], tokens.visual[0]
        self.register_buffer("before", vectors[kind == Kind.PROMPT])
        self.register_buffer("between", vectors[(kind == Kind.FRAME) & (visual < 0)])
        self.register_buffer("after", vectors[kind == Kind.BRANCH])
        self.register_buffer("mean", classifier.standardize.mean)
        self.register_buffer("std", classifier.standardize.std)
        backbone.merge()
        self.connector = backbone.connector
        self.decoder = backbone.decoder
        self.multi_label = classifier.schema.tasks[task].labels.multi_label
        self.head = classifier.heads[classifier.schema.head_of_task[task]]
        self.slot, self.reach = classifier.slot, classifier.slot_reach
        self.window = classifier.schema.windows.frames
        self.eval().requires_grad_(False)

    def forward(self, frames: Tensor) -> Tensor:
        """Log-probabilities (B, C) of what happens at the last frame of windows (B, F, N, D), as features are."""
        size, length, tokens, width = frames.shape
        scaled = (frames.float() - self.mean) / self.std
        visual = self.connector(scaled.reshape(-1, width)).reshape(size, length, tokens, -1)
        mapped = visual.to(self.before.dtype)
        separators = self.between.expand(size, length, -1, -1)
        shown = torch.cat([separators, mapped], 2).flatten(1, 2)[:, len(self.between) :]
        after = self.after.expand(size, -1, -1)
        if self.reach:
            sample = torch.arange(size, device=frames.device)
            told = self.slot.shown(visual.mean(2), sample, torch.full_like(sample, length - 1), self.window)
            after = torch.cat([after[:, :-1], after[:, -1:] + told.unsqueeze(1).to(after.dtype)], 1)
        whole = [self.before.expand(size, -1, -1), shown, after]
        states = self.decoder(inputs_embeds=torch.cat(whole, 1), use_cache=False).last_hidden_state
        logits: Tensor = self.head(states[:, -1]).float()
        return logsigmoid(logits) if self.multi_label else logits.log_softmax(1)


def export_classifier(classifier: Classifier, output: Path, task: int = 0) -> float:
    """Write a classifier to a ``.pt2`` file of :func:`torch.export.save`.

    Batch and number of frames stay free, the latter up to the classifier's window. To use it::

        about = {"gad_lightning.json": ""}
        program = torch.export.load("classifier.pt2", extra_files=about).module()
        log_probabilities = program(frames)  # (B, F, N, D) float32 -> (B, C)

    Args:
        classifier: discriminative or GAD; its LoRA is merged.
        output: the file.
        task: index into the schema's tasks.

    Returns:
        Largest difference of a log-probability between the file's program and the classifier before.

    Raises:
        SettingError: if it cannot be exported, or the program differs by more than rounding.
    """
    classifier.eval()
    spec, windows = classifier.schema.features, classifier.schema.windows
    generator = torch.Generator().manual_seed(0)
    sizes = [(2, min(3, windows.frames)), (1, windows.frames), (3, 1)]
    tried = [torch.randn(*size, spec.tokens_per_frame, spec.width, generator=generator) for size in sizes]
    with torch.no_grad():
        expected = [classifier.cpu()(frames, task=task) for frames in tried]
        names = classifier.schema.tasks[task].labels.names
        module = WholeWindow(classifier, task)
        free = torch.export.Dim.AUTO
        program = torch.export.export(module, (tried[0],), dynamic_shapes={"frames": {0: free, 1: free}}, strict=False)
        run: Any = program.module()
        drift = max(
            float((run(frames) - scores[:, : len(names)]).abs().max())
            for frames, scores in zip(tried, expected, strict=True)
        )
    if not drift <= DRIFT:
        raise SettingError(
            f"The exported program differs from the classifier by {drift:.2g}, more than {DRIFT:g}.",
            "load the checkpoint with backbone.dtype=float32: merging a LoRA into bfloat16 weights rounds them",
        )
    with atomic_write(output) as part, part.open("wb") as file:
        torch.export.save(program, file, extra_files={ABOUT: json.dumps(_about(classifier, task))})
    return drift


def _about(classifier: Classifier, task: int) -> dict[str, Any]:
    """What the file says of itself."""
    schema, asked = classifier.schema, classifier.schema.tasks[task]
    return {
        "classes": list(asked.labels.names),
        "task": asked.name,
        "features": describe(schema.features)["init_args"] | {"mean": None, "std": None},  # the program standardizes
        "most_frames": schema.windows.frames,
        "decisions": classifier.about_decisions().get(asked.name),
    }


def main(checkpoint: str, output: Path, task: str | None = None, allowed: list[str] | None = None) -> None:
    """Write a classifier as a file that torch runs without this library, transformers or peft.

    Args:
        checkpoint: .ckpt file or its URL, folder of save_pretrained, or name on the hub.
        output: file to write, such as classifier.pt2.
        task: name of the task; the first by default.
        allowed: further packages whose classes the checkpoint may name.
    """
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    classifier = Classifier.from_pretrained(checkpoint, allowed=packages)
    names = [known.name for known in classifier.schema.tasks]
    if task is not None and task not in names:
        raise SettingError(f"There is no task {task!r}; the classifier has {', '.join(names)}.", "choose one of them")
    drift = export_classifier(classifier, output, 0 if task is None else names.index(task))
    print_safely(f"{output}: scores differ from the classifier's by at most {drift:.1g}")
