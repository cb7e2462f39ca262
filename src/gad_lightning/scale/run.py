"""One process's part of predicting units of videos, and what all parts leave together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lightning import Trainer

from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.jobs.place import Place, place_of
from gad_lightning.jobs.units import PLAN, Units, VideoOutcome, file_of
from gad_lightning.results.predictions import ABOUT, About, write_about
from gad_lightning.scale.tables import REPEAT, Format, join_tables
from gad_lightning.scale.videos import DataVideos, FeatureFolder
from gad_lightning.scale.writer import FRAMES, SEGMENTS, UnitWriter
from gad_lightning.schema import UNKNOWN
from gad_lightning.video.encoding.source import content_of_file


class UnitRun:
    """Predicts units with a Trainer, in this process; other processes and jobs may do the same at the same time.

    Args:
        output: folder of the results, or address of an object store.
        classifier: with its weights, unless a checkpoint is given.
        data: what it was trained on, or a like data module.
        trainer: of one device a process; gets a callback more.
        checkpoint: loaded before the first unit.
        videos: folder of features to predict in place of the data's videos.
        unit: videos that are written together.
        kind: of the tables.

    Raises:
        GadError: if there are no videos, or the place holds results of other work.
    """

    def __init__(
        self,
        output: str | Path,
        classifier: Classifier,
        data: ActionDataModule,
        trainer: Trainer,
        checkpoint: str | None = None,
        videos: Path | None = None,
        unit: int = 64,
        kind: Format = "csv",
    ) -> None:
        self.classifier, self.trainer, self.checkpoint = classifier, trainer, checkpoint
        self.videos = DataVideos(data) if videos is None else FeatureFolder(videos, data.schema)
        if not self.videos.names:
            raise MissingDataError(f"The {data.predict_split} split has no videos.", "give --videos, or another split")
        self.units = Units(place_of(output), self.videos.names, unit)
        made_by = Path(checkpoint or "")
        self.units.claim(
            {
                "work": "predictions",
                "classifier": type(classifier).__name__,
                "checkpoint": content_of_file(made_by) if made_by.is_file() else checkpoint,
                "windows": list(data.windows),
                "batch": data.eval_batch_size,
                "table": kind,
            }
        )
        trainer.callbacks.append(UnitWriter(self.units, self.videos, data, classifier, kind))  # type: ignore[attr-defined]  # undeclared

    def predict(self, only: Iterable[int] | None = None) -> None:
        """Predict units that nobody has done or works on, until there is none.

        Args:
            only: numbers to choose among; all if None.
        """
        writer = next(one for one in self.trainer.callbacks if isinstance(one, UnitWriter))  # type: ignore[attr-defined]  # undeclared
        loader = writer.loader(self.units.take_each(only))
        self.trainer.predict(self.classifier, loader, return_predictions=False, ckpt_path=self.checkpoint)
        self.checkpoint = None

    def finish(self) -> list[VideoOutcome]:
        """Write ``about.json`` and, if all units are done, ``manifest.csv``.

        Returns:
            The outcomes of broken videos, as far as units are done.
        """
        unknown = sorted({str(task) for _, facts, _ in self.units.facts() for task in _texts(facts["unknown"])})
        shown, place = self.classifier.shown_schema, self.units.place
        tasks = tuple(
            task._replace(labels=task.labels._replace(names=(*task.labels.names, UNKNOWN)))
            if task.name in unknown and UNKNOWN not in task.labels.names
            else task
            for task in shown.tasks
        )
        about = About(type(self.classifier).__name__, shown.features.fps, tasks, {}, {}, {}, tuple(unknown))
        write_about(place.path(ABOUT).parent, about)
        place.publish(ABOUT)
        return self.units.write_manifest()


def join_results(place: Place, folder: Path) -> int:
    """Write ``frames.csv``, ``segments.csv`` and ``about.json`` of the units that are done.

    Args:
        place: of the results.
        folder: gets the files.

    Returns:
        Units that were joined.

    Raises:
        MissingDataError: if there are no such results, or none is done.
        DataError: if a table of a unit that is done is lost or damaged.
    """
    plan = place.fetch(PLAN)
    stated = {} if plan is None else json.loads(plan.read_text(encoding="utf-8"))
    if stated.get("work") != "predictions":
        raise MissingDataError(
            f"{place} holds no results of predict --output.", "give the folder, or the address, that --output named"
        )
    units = {number: any(video.frames for video in videos) for number, _, videos in Units(place, [], 1).facts()}
    if not units:
        raise MissingDataError(f"No unit in {place} is done.", "run gad-lightning predict --output again")
    for name in (FRAMES, SEGMENTS):
        join_tables(folder / f"{name}.csv", _parts(place, name, stated["table"], units), filled=name == FRAMES)
    about = place.fetch(ABOUT)
    if about is None:
        raise DataError(f"{place} has no {ABOUT}.", "run gad-lightning predict --output again: it writes it at its end")
    if about.parent.resolve() != folder.resolve():
        (folder / ABOUT).write_bytes(about.read_bytes())
    return len(units)


def _parts(place: Place, name: str, kind: Format, units: Mapping[int, bool]) -> Iterator[Path]:
    """The tables of units, of which those without a readable video have none."""
    for number, has_frames in units.items():
        path = place.fetch(file_of(number, name, kind))
        if path is not None:
            yield path
        elif has_frames:
            raise DataError(f"{place} lacks {file_of(number, name, kind)}, though its unit is done.", REPEAT)


def _texts(value: object) -> list[object]:
    """A list, or none."""
    return value if isinstance(value, list) else []
