"""What every exported program is made of: the fixed text as vectors, connector, decoder and head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.types import Batch, Kind


def check_exportable(classifier: Classifier) -> None:
    """Refuse a classifier that is not one function of the frames.

    Raises:
        SettingError: if it writes its answer, has a memory, is quantized, or its backbone is no language model of
            transformers.
    """
    backbone = classifier.backbone
    if not isinstance(classifier, DiscriminativeClassifier) or backbone.decoder is None:
        raise SettingError(
            f"A {type(classifier).__name__} on a {type(backbone).__name__} cannot be exported: only a head at one "
            "state of a language model of transformers is one function of the frames.",
            "export a DiscriminativeClassifier or GADClassifier",
        )
    if backbone.light is not None:
        raise SettingError(
            f"The weights are {backbone.light}, by the kernels of torch for this CPU.", "load it without weights"
        )
    if classifier.room(1):
        raise SettingError(
            f"This {type(classifier).__name__} cannot be exported: it writes text before it answers.",
            "train one that answers first",
        )
    if classifier.memory is not None:
        raise SettingError(
            "A classifier with model.memory cannot be exported: its answers depend on those it gave before.",
            "train without model.memory, or use the classifier itself",
        )
    if backbone.quantized:
        backbone.merge()  # says why it cannot be


class Pieces(nn.Module):
    """The parts of a classifier that is one function of the frames.

    Args:
        classifier: on any device; its LoRA is merged into its weights, which cannot be undone.
        task: index into the schema's tasks.

    Raises:
        SettingError: for the reasons of :func:`check_exportable`.
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
        check_exportable(classifier)
        backbone, decoder = classifier.backbone, classifier.backbone.decoder
        assert isinstance(classifier, DiscriminativeClassifier), "it was checked"
        assert decoder is not None, "it was checked"
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
        self.decoder = decoder
        self.multi_label = classifier.schema.tasks[task].labels.multi_label
        self.head = classifier.heads[classifier.schema.head_of_task[task]]
        self.slot, self.reach = classifier.slot, classifier.slot_reach
        self.window = classifier.schema.windows.frames
        self.eval().requires_grad_(False)

    def visual(self, frames: Tensor) -> Tensor:
        """Visual vectors of frames as features are: (..., N, D) -> (..., N, H)."""
        scaled = (frames.float() - self.mean) / self.std
        flat = scaled.reshape(-1, frames.shape[-1]).to(next(self.connector.parameters()).dtype)
        mapped: Tensor = self.connector(flat).reshape(*frames.shape[:-1], -1)
        return mapped

    def opener(self, told: Tensor) -> Tensor:
        """Vectors of a branch whose slot is told (B, H), which is added to its last: (B, O, H)."""
        after = self.after.expand(told.shape[0], -1, -1)
        return torch.cat([after[:, :-1], after[:, -1:] + told.unsqueeze(1).to(after.dtype)], 1)

    def scores(self, states: Tensor) -> Tensor:
        """Log-probabilities (B, C) at slot states (B, H)."""
        logits: Tensor = self.head(states.to(next(self.head.parameters(), states).dtype)).float()
        return logsigmoid(logits) if self.multi_label else logits.log_softmax(1)
