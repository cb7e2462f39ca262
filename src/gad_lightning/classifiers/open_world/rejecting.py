"""Unknown actions: what makes a classifier say that a query shows none of its classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.classifiers.remembering import PastLabels, Remembering
from gad_lightning.classifiers.segment_means import SegmentMeans, segment_means
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.errors import DataError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.rejection.base import RejectionScore
from gad_lightning.schema import UNKNOWN, DataSchema, LabelSet
from gad_lightning.types import Batch, Predictions
from gad_lightning.video.encoders import Encoder

Video = str | Path | np.ndarray | Tensor
"""Path of a video file; or features, not standardized, as an array or the path of a .npy file."""


class Rejecting(Remembering):
    """Mixin of the classifiers: off until :meth:`fit_rejection` is called or a checkpoint has what it gave."""

    rejector: Rejector | None
    """What says which queries are unknown; None as long as nothing is rejected."""
    votes: Callable[[Predictions], Predictions] | None = None
    """What lets labels of like moments vote, such as ``NeighborVotes``; None as long as nothing votes."""

    @property
    def shown_schema(self) -> DataSchema:
        """The schema with a last class "unknown" where queries may be so; labels that are shown count in it."""
        return self.schema if self.rejector is None else self.rejector.shown(self.schema)

    def judged(self, predictions: Predictions) -> Predictions:
        """The predictions with the votes of neighbors and the distance to the threshold, as far as these are on."""
        if self.votes is not None:
            predictions = self.votes(predictions)
        if self.rejector is None:
            return predictions
        return predictions._replace(rejection=self.rejector(predictions, self.schema))

    def score_in_evaluation(self, batch: Batch, past: PastLabels | None = None) -> Predictions:
        """Score a batch without dropout, after what was said of the videos before."""
        raise NotImplementedError

    def slot_states(self, video: Video, task: int = 0, encoder: Encoder | None = None) -> Tensor:
        """Slot states of every frame of a video, (F, H) on the CPU."""
        raise NotImplementedError

    def origin_of(self, task: int) -> Tensor | None:
        """State (H,) at which the head of a task gives no class a logit; None where that is unknown."""
        return None

    @torch.no_grad()  # tensors of inference mode could not be used where gradients are on
    def fit_rejection(
        self,
        data: ActionDataModule,
        score: RejectionScore,
        kept: float = 0.95,
        task: int = 0,
        over_background: bool = False,
    ) -> float:
        """Say "unknown" from now on, by a score that is fitted to the training split and a threshold of the validation.

        Both splits are read once. A segment counts once, by the means of its frames' states, logits and scores. The
        threshold leaves the share ``kept`` of the known actions of the validation split below it. Decisions that were
        fitted before are dropped.

        Args:
            data: the classifier's classes, with training and validation videos.
            score: any; a copy of it is fitted.
            kept: share of the known segments that stay known, in (0, 1).
            task: index into the schema's tasks.
            over_background: whether frames whose likeliest class is the background can be unknown too; the score then
                counts the background among what is known.

        Returns:
            The threshold.

        Raises:
            SettingError: if a setting cannot work, or the data has other classes.
            DataError: if a split has no videos, or too few segments.
        """
        labels = _check_task(self.schema, task)
        if not 0 < kept < 1:
            raise SettingError(f"kept is a share of the known segments in (0, 1), got {kept}.", "0.95 is usual")
        _check_classes(data, labels, task)
        made, device = Rejector(deepcopy(score), task, over_background).to(self.device), torch.device(self.device)

        def score_of(found: Predictions) -> Tensor:
            return made.scored(found.slot_states, found.logits.to(found.slot_states.device), labels)

        def means(split: Split, extra: Callable[[Predictions], Tensor] | None = None) -> SegmentMeans:
            predict = partial(self.score_in_evaluation, past=PastLabels())
            return segment_means(data.dataset(split), data.eval_batch_size, device, predict, task, extra)

        training = means("train")
        made.score.fit(*_of_classes(training, made.known(labels), device), self.origin_of(task))
        made.threshold.fill_(_threshold(means("val", score_of), labels, kept))
        self.rejector = made.eval()
        self.drop_decisions("Frames can be unknown now")
        return float(made.threshold)

    def drop_decisions(self, why: str) -> None:
        """Forget what was calibrated before; see :class:`~gad_lightning.Decisions`.

        Args:
            why: it no longer holds, a sentence without its full stop.
        """

    def fitted_state(self) -> dict[str, Tensor]:
        """What was learned to reject, by name; nothing as long as nothing is rejected."""
        return {} if self.rejector is None else {f"rejector.{n}": t for n, t in self.rejector.state_dict().items()}

    def about_rejection(self) -> dict[str, Any] | None:
        """What makes the rejector again, but for what it learned: plain data."""
        return None if self.rejector is None else self.rejector.about()

    def take_rejection(self, about: Mapping[str, Any] | None, allowed: Sequence[str] = ALLOWED_PACKAGES) -> None:
        """Make room for the rejector that a checkpoint describes; none if it has none."""
        made = None if about is None else Rejector.made_again(about, tuple(allowed))
        self.rejector = None if made is None else made.to(self.device)

    def drop_rejection(self) -> None:
        """Reject nothing any more, with a warning: other weights give other states."""
        if self.rejector is not None:
            self.rejector = None
            warnings.warn(
                "Training makes other states, so nothing is rejected any more: fit the rejection again after it.",
                stacklevel=2,
            )


def _of_classes(training: SegmentMeans, classes: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """States, logits and labels of the segments of some classes, on ``device``."""
    rows = torch.isin(training.label, classes)
    return (
        training.states[rows].to(device),
        training.logits[rows][:, classes].to(device),
        training.label[rows].to(device),
    )


def _threshold(checked: SegmentMeans, labels: LabelSet, kept: float) -> float:
    """Score below which the share ``kept`` of the known actions lies.

    Raises:
        DataError: if there is none.
    """
    known = [index for index in range(len(labels.names)) if index not in (labels.background, labels.ignore)]
    scores = checked.extra[torch.isin(checked.label, torch.tensor(known))]
    if not len(scores):
        raise DataError(
            "No validation video has a segment of a known action, so there is no threshold.",
            "give more of the videos to validation: data.val_fraction",
        )
    return float(scores.double().quantile(kept))


def _check_classes(data: ActionDataModule, labels: LabelSet, task: int) -> None:
    """Refuse data with other classes than those a classifier was trained on; others may be added behind them."""
    given = data.schema.tasks[task].labels
    if labels._replace(names=labels.names[: len(given.names)]) != given:
        raise SettingError(
            f"{type(data).__name__} has other classes than the classifier.", "use the data it was trained on"
        )


def _check_task(schema: DataSchema, task: int) -> LabelSet:
    """The classes of a task that can have unknown ones.

    Raises:
        SettingError: if several labels can be true there, or a class is called as unknown ones are.
    """
    labels = schema.tasks[task].labels
    if labels.multi_label:
        raise SettingError(
            f"Several labels can be true at once in the task {schema.tasks[task].name!r}: none of them is no unknown "
            "action.",
            "leave data.multi_label out to find unknown actions",
        )
    if UNKNOWN in labels.names:
        raise SettingError(
            f"A class is called {UNKNOWN!r}, as actions of no class are.", "rename it to find unknown actions"
        )
    return labels
