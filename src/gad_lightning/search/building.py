"""Makes the index of a run: every segment that is predicted, and every second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.predictions import predict_with
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.errors import DataError, SettingError
from gad_lightning.retrieval.moment_index import MOMENT, UNITS, IndexFacts, MomentIndex, nearest_library
from gad_lightning.search.embedding import Embedder, embedder_of, fingerprint_of
from gad_lightning.segments import cut
from gad_lightning.types import Batch, Predictions, known_class


class _Frames(NamedTuple):
    """What is kept of some frames of a video, in any order."""

    frame: Tensor  # (n,)
    rows: NDArray[np.float16]  # (n, p)
    label: Tensor  # (n,) predicted
    probability: Tensor  # (n,)
    truth: Tensor  # (n,)


def index_of_run(
    folder: Path, checkpoint: Path, data: ActionDataModule, split: Split, packages: Sequence[str]
) -> MomentIndex:
    """Predict the videos of a split with a run's checkpoint, and index their moments.

    Args:
        folder: of the index.
        checkpoint: of the run.
        data: of the run's config.
        split: whose videos.
        packages: whose classes the checkpoint may name.

    Raises:
        SettingError: if the first task is not asked at every frame, or faiss is not installed.
        DataError: if there is no frame.
    """
    nearest_library()  # told before hours of prediction
    classifier = Classifier.load_from_checkpoint(checkpoint, allowed=packages)
    data.predict_split = split
    if not classifier.schema.tasks[0].per_frame:
        raise SettingError("The first task is asked once a clip, and an index is of moments.", "index another run")
    collector = MomentCollector(embedder_of(classifier), classifier)
    predict_with(classifier, data, collector)
    names, first = data.video_names, data.first_video(split)
    facts = IndexFacts(
        classifier=type(classifier).__name__,
        fingerprint=fingerprint_of(classifier),
        checkpoint=str(checkpoint.resolve()),
        space=collector.embedder.space,
        fps=classifier.schema.features.fps,
        classes=classifier.schema.tasks[0].labels.names,
        videos=tuple(names[first:]),
    )
    rows, moments = collector.collected(first)
    return MomentIndex.build(folder, rows, moments, facts)


class MomentCollector(Callback):
    """Keeps embeddings of the frames that are predicted, in half precision.

    Args:
        embedder: what makes them of slot states.
        classifier: whose predictions they are.
    """

    def __init__(self, embedder: Embedder, classifier: Classifier) -> None:
        self.embedder, self.classifier = embedder, classifier
        self.kept: dict[int, list[_Frames]] = {}

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Predictions,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Embed the states of the first task's queries."""
        states = outputs.slot_states.to(self.classifier.device)
        rows = self.embedder.states(states).astype(np.float16)
        best = outputs.scores.float().max(1)
        truth = known_class(outputs.target, len(self.classifier.schema.tasks[0].labels.names))
        for video in outputs.video.unique().tolist():
            own = (outputs.video == video) & (outputs.task == 0)
            part = _Frames(outputs.frame[own], rows[own.numpy()], best.indices[own], best.values[own].exp(), truth[own])
            self.kept.setdefault(video, []).append(part)

    def collected(self, first: int) -> tuple[NDArray[np.float16], NDArray[np.void]]:
        """Embeddings and moments of all videos, numbered from ``first`` on.

        Raises:
            DataError: if nothing was predicted.
        """
        made = [self._moments(video - first, parts) for video, parts in sorted(self.kept.items())]
        if not made:
            raise DataError("There is no frame to index.", "choose a split that has videos")
        return np.concatenate([rows for rows, _ in made]), np.concatenate([moments for _, moments in made])

    def _moments(self, video: int, parts: Sequence[_Frames]) -> tuple[NDArray[np.float16], NDArray[np.void]]:
        """The segments and seconds of a video; a segment's embedding is the mean of its frames'."""
        columns = [
            torch.cat([getattr(part, name) for part in parts]) for name in ("frame", "label", "probability", "truth")
        ]
        rows, order = np.concatenate([part.rows for part in parts]), columns[0].argsort()
        frame, label, probability, truth = (column[order] for column in columns)
        rows = rows[order.numpy()]
        labels, fps = self.classifier.schema.tasks[0].labels, self.classifier.schema.features.fps
        skip = {index for index in (labels.background, labels.ignore) if index is not None}
        spans = [(start, end, 0) for _, start, end in cut(label, skip)]
        second = (frame.double() / fps).long()
        begins = torch.cat([torch.tensor([True]), second[1:] != second[:-1]]).nonzero().squeeze(1).tolist()
        spans += [(start, end, 1) for start, end in zip(begins, [*begins[1:], len(frame)], strict=True)]
        moments, found = np.zeros(len(spans), MOMENT), np.zeros((len(spans), rows.shape[1]), np.float16)
        for place, (start, end, unit) in enumerate(spans):
            middle = (start + end) // 2
            mean = rows[start:end].astype(np.float32).mean(0)
            found[place] = mean / max(float(np.linalg.norm(mean)), 1e-12)
            moments[place] = (
                video,
                float(frame[start]) / fps,
                (float(frame[end - 1]) + 1) / fps,
                int(label[middle]),
                float(probability[start:end].mean()),
                int(truth[middle]),
                unit,
            )
        assert {unit for *_, unit in spans} <= set(range(len(UNITS)))
        return found, moments
