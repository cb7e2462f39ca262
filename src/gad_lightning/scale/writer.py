"""Predicts unit after unit of videos within one run of a Trainer, and writes each as its last batch is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, IterableDataset

from gad_lightning.atomic import sweep
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.decided_columns import decided_columns
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.epoch_sampler import EpochSampler
from gad_lightning.data.loader import loader_of
from gad_lightning.data.records import VideoRecord
from gad_lightning.errors import GadError
from gad_lightning.jobs.units import Units, VideoOutcome, file_of
from gad_lightning.results.rows import (
    QueryColumns,
    columns_of,
    frame_columns,
    frame_rows,
    joined,
    segment_columns,
    segment_rows,
)
from gad_lightning.results.unknown_actions import open_tasks, with_unknown
from gad_lightning.scale.tables import Format, write_table
from gad_lightning.scale.videos import Videos
from gad_lightning.types import Batch, Predictions

FRAMES, SEGMENTS = "frames", "segments"
"""Folders of the tables."""


@dataclass
class OpenUnit:
    """A unit under way."""

    number: int
    records: list[VideoRecord]  # of the videos that can be read
    broken: list[VideoOutcome]
    left: int = 0  # batches that are still to be predicted
    parts: list[QueryColumns] = field(default_factory=list)


class UnitWriter(Callback):
    """Writes ``frames/<unit>.csv`` and ``segments/<unit>.csv``, and notes the unit as done.

    The rows of a unit are those that :class:`~gad_lightning.PredictionWriter` writes of its videos.

    Args:
        units: the work.
        videos: to be predicted, in the order of the units' names.
        data: makes the batches.
        classifier: that predicts.
        kind: of the tables.
    """

    def __init__(
        self, units: Units, videos: Videos, data: ActionDataModule, classifier: Classifier, kind: Format = "csv"
    ) -> None:
        self.units, self.videos, self.data, self.classifier, self.kind = units, videos, data, classifier, kind
        self.under_way: deque[OpenUnit] = deque()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove what killed processes left unfinished."""
        for folder in (FRAMES, SEGMENTS):
            sweep(self.units.place.folder / folder)

    def batches(self, numbers: Iterable[int]) -> Iterator[Batch]:
        """The batches of units that were taken, one unit after the other; those without a readable video are noted."""
        for number in numbers:
            unit = self._opened(number)
            if not unit.records:
                self._write(unit)
                continue
            first = self.videos.first + self.units.videos(number).start
            dataset = self.data.dataset_of(unit.records, first, self.videos.known)
            loader = loader_of(dataset, EpochSampler(dataset, self.data.eval_batch_size), self.data.num_workers)
            unit.left = len(loader)
            self.under_way.append(unit)
            yield from loader

    def loader(self, numbers: Iterable[int]) -> DataLoader[Batch]:
        """What a Trainer predicts on: the units as it takes them."""
        return DataLoader(_Stream(self.batches(numbers)), batch_size=None, collate_fn=_as_is)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Predictions,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what is written; after the last batch of a unit, write it."""
        unit, classifier = self.under_way[0], self.classifier
        unit.parts.append(columns_of(outputs, classifier.schema.tasks, bool(classifier.decisions)))
        unit.left -= 1
        if unit.left == 0:
            self._write(self.under_way.popleft())

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the other processes, so that the first one tells of all."""
        trainer.strategy.barrier("units are done")

    def _opened(self, number: int) -> OpenUnit:
        """Look at the videos of a unit."""
        unit = OpenUnit(number, [], [])
        for place in self.units.videos(number):
            try:
                unit.records.append(self.videos.open(place))
            except GadError as error:
                unit.broken.append(VideoOutcome(self.videos.names[place], "broken", problem=error.message))
        return unit

    def _write(self, unit: OpenUnit) -> None:
        """Write the tables of a unit, then that it is done."""
        known, place = self.classifier, self.units.place
        whole = joined(unit.parts)
        unknown: tuple[str, ...] = ()
        if len(whole.video):
            columns = decided_columns(whole, known.schema, known.shown_schema, known.all_decisions())
            shown = with_unknown(known.shown_schema, whole)
            unknown = open_tasks(known.schema, shown)
            first = self.videos.first + self.units.videos(unit.number).start
            columns = columns._replace(video=columns.video - first)
            names = [record.name for record in unit.records]
            made = ((FRAMES, frame_columns(columns), frame_rows), (SEGMENTS, segment_columns(columns), segment_rows))
            for folder, header, rows_of in made:
                name = file_of(unit.number, folder, self.kind)
                write_table(place.path(name), rows_of(columns, shown, names), header, self.kind)
                place.publish(name)
        done = [VideoOutcome(record.name, "done", record.frames.num_frames) for record in unit.records]
        order = {self.videos.names[number]: number for number in self.units.videos(unit.number)}
        outcomes = sorted([*done, *unit.broken], key=lambda outcome: order[outcome.video])
        self.units.finish(unit.number, outcomes, unknown=unknown)


class _Stream(IterableDataset[Batch]):
    """Batches as they come."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return self.batches


def _as_is(batch: Any) -> Any:
    """Leave a batch as it was made."""
    return batch
