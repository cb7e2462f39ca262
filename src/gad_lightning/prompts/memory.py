"""What was done before the window, as text: the names of the last closed segments."""

from __future__ import annotations

from types import NoneType
from typing import ClassVar

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.parts import Part, check_given
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.schema import DataSchema
from gad_lightning.types import Vocabulary

NOTHING = "<nothing>"
"""The learned vector that fills the room of a memory that is not full."""


class VerbalizedMemory(Part):
    """The labels of the last segments that were over before the first frame of a sample, as text before its frames.

    A sample is a window, or in one pass a chunk with its context; its queries share the text. A segment is remembered
    if a frame before the sample's first one has another label: nothing of it can be seen any more, and its end was
    seen. Segments of the background are not remembered. In training they are the true ones, some of them replaced by
    another class; afterwards they are those of the labels that the classifier itself gave to the frames before.

    The text has one length, whatever is remembered: short memories are filled up in front with a learned vector. So
    frames keep their positions, and the memory of a stream does not grow.

    Args:
        segments: most that are remembered, at least 1.
        replaced: share of the true segments that stand for another class in training, drawn anew each time, in
            [0, 1): at test some are wrong too. The other class is a random one, not a mistake of the classifier.
        labels: how a class is written; in words by default.

    Raises:
        SettingError: if ``segments`` or ``replaced`` is out of range.

    Source: Chatterjee et al., ProVideLLM, ICCV 2025 (arXiv 2504.13915), which keeps long-term observations as text.
    """

    training_only: ClassVar[tuple[str, ...]] = ("replaced",)

    def __init__(self, segments: int = 16, replaced: float = 0.15, labels: LabelTokens | None = None) -> None:
        check_given("labels", labels, LabelTokens, NoneType)
        if segments < 1:
            raise SettingError(
                f"segments of VerbalizedMemory must be at least 1, got {segments}.", "leave model.memory out for none"
            )
        if not 0 <= replaced < 1:
            raise SettingError(
                f"replaced of VerbalizedMemory is a share of the segments in [0, 1), got {replaced}.", "0.15 is usual"
            )
        self.segments, self.replaced = segments, replaced
        self.labels = labels or WordLabels()

    def prepare(self, schema: DataSchema, vocabulary: Vocabulary) -> None:
        """Encode the classes and reserve the vector that fills.

        Raises:
            SettingError: if there are several tasks, several labels a frame, or one label a clip.
        """
        task = schema.tasks[0]
        several = f"{len(schema.tasks)} tasks" if len(schema.tasks) > 1 else ""
        if several or task.labels.multi_label or not task.per_frame:
            found = several or ("several labels a frame" if task.labels.multi_label else "one label a clip")
            raise SettingError(
                f"model.memory remembers the segments of one task with one label a frame; the data has {found}.",
                "leave model.memory out, or choose one such task (data.tasks)",
            )
        self.unwritten = frozenset(i for i in (task.labels.background, task.labels.ignore) if i is not None)
        comma = vocabulary.encode(",")
        self.texts = [[*ids, *comma] for ids in self.labels.tokens(task.labels.names, vocabulary)]
        self.length = self.segments * max(len(ids) for ids in self.texts)
        self.nothing = vocabulary.new_token(NOTHING)

    def tokens(self, remembered: Tensor) -> Tensor:
        """The text of each sample: classes (B, K), the newest last and -1 for none, -> token ids (B, length).

        Classes that were added to a trained classifier are not written.
        """
        ids = torch.full((len(remembered), self.length), self.nothing)
        for row, classes in zip(ids, remembered.tolist(), strict=True):
            text = [token for label in classes if 0 <= label < len(self.texts) for token in self.texts[label]]
            row[self.length - len(text) :] = torch.tensor(text, dtype=torch.int64)
        return ids
