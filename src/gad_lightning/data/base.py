"""ActionDataModule: everything about data that is the same for all data sets."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from lightning import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from gad_lightning.data.checks import check_choice, check_labels, check_same_kind, check_settings, distinct
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.epoch_sampler import EpochSampler
from gad_lightning.data.fingerprints import fingerprints, warn_of_changes
from gad_lightning.data.loader import loader_of
from gad_lightning.data.plans import plans_of
from gad_lightning.data.records import VideoRecord, timeline
from gad_lightning.data.splits import group_of, hold_out
from gad_lightning.data.statistics import feature_statistics
from gad_lightning.data.unknown_classes import UnknownClasses, choose_unknown, with_goals
from gad_lightning.errors import DataError, SettingError
from gad_lightning.parts import AcceptsEarlierNames
from gad_lightning.schema import SEPARATOR, DataSchema, FeatureSpec, LabelSet, Mode, Task, Windows, check_names
from gad_lightning.types import Batch

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class ActionDataModule(LightningDataModule, metaclass=AcceptsEarlierNames):
    """Loads labeled videos for any of the classifiers; a data set says only what its classes and records are.

    Nothing is read before :attr:`schema` is asked for or a loader is made, and ``fit`` never asks for the records of
    the test split.

    Args:
        mode: ``window`` shows each query a window of its own (the paper); ``one_pass`` cuts videos into chunks and
            asks at every frame of a chunk.
        short_memory: the last frames that a query sees, its own counted.
        long_memory: frames before those that it sees too.
        short_stride: keep every n-th frame of the short memory, the newest always.
        long_stride: keep every n-th frame of the long memory.
        stride: in ``window`` mode, frames between the training queries of a video; ``short_memory`` if None.
        chunk: in ``one_pass`` mode, new frames of a chunk.
        sampling: how training windows are chosen: ``uniform`` gives every frame the same chance,
            ``published`` is the paper's rule.
        background_limit: in ``window`` mode, thin background queries in training to this many times the number of
            those of the most frequent other class; None keeps all.
        multi_label: ask for all labels of a frame, each by itself, yes or no. Where a single label is wanted
            nevertheless, it is the true class of lowest index, and the predicted class of highest probability.
        batch_size: most training samples (windows or chunks) of a batch in one process.
        eval_batch_size: the same for validation, test and prediction; ``batch_size`` if None.
        num_workers: loader processes.
        seed: of order and offsets in training, with the epoch.
        val_fraction: fraction of the training videos held out for validation, by whole groups, if there is no
            ``val`` split.
        standardize: put mean and spread of each training feature into the schema. A constant one is not scaled, one of
            two values becomes 0 and 1; of one of mostly zeros (or one other value) these become 0, and the others are
            divided by their size.
        predict_split: videos that ``predict`` runs on.
        unknown_classes: names of classes to hold out of training and of all its texts, or how many of the actions, or
            which share; their frames are ignored in training, and unknown in validation, test and prediction.
        unknown_seed: of the draw, if they are drawn.
        added_classes: classes that the classifier was given after its training, in its order; they are held out too,
            and count behind the others. The command line takes them from the checkpoint.
    """

    background: str | None = "background"
    """Name of the class that means "nothing of interest"; None if frames outside segments are not to be scored."""
    ignored: str | None = None
    """Name of a class whose frames enter neither loss nor metrics."""

    def __init__(
        self,
        mode: Mode = "window",
        short_memory: int = 32,
        long_memory: int = 0,
        short_stride: int = 1,
        long_stride: int = 1,
        stride: int | None = None,
        chunk: int = 128,
        sampling: Literal["uniform", "published"] = "uniform",
        background_limit: float | None = None,
        multi_label: bool = False,
        batch_size: int = 16,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_fraction: float = 0.1,
        standardize: bool = True,
        predict_split: Split = "test",
        unknown_classes: list[str] | int | float | None = None,
        unknown_seed: int = 0,
        added_classes: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.windows = Windows(mode, short_memory, long_memory, short_stride, long_stride, chunk)
        self.stride = short_memory if stride is None else stride
        self.sampling = sampling
        self.background_limit = background_limit
        self.multi_label = multi_label
        self.batch_size = batch_size
        self.eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.val_fraction = val_fraction
        self.standardize = standardize
        self.predict_split = predict_split
        self.unknown_classes = unknown_classes
        self.unknown_seed = unknown_seed
        self.added_classes = added_classes or []
        self.allow_zero_length_dataloader_with_multiple_devices = True  # evaluation repeats no sample to fill a rank
        self._listed: dict[Split, list[VideoRecord]] = {}
        self._sets: dict[tuple[Split, bool], WindowDataset] = {}

    @property
    @abstractmethod
    def class_names(self) -> Sequence[str]:
        """Names of the classes in the order of their indices."""

    @property
    def goals(self) -> Sequence[str]:
        """Names of the procedures that videos follow; none by default."""
        return ()

    @abstractmethod
    def records(self, split: Split) -> list[VideoRecord]:
        """List the videos of a split, in a fixed order; empty if there is none."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is asked; by default one task over ``class_names``."""
        names = check_names(self.class_names, "class_names")
        background, ignored = (names.index(name) if name in names else None for name in (self.background, self.ignored))
        if self.multi_label and (joined := next((name for name in names if SEPARATOR in name), None)) is not None:
            text = f"The class {joined!r} has a {SEPARATOR!r}, which stands between several labels of a frame."
            raise DataError(text, "rename it, or leave data.multi_label out")
        return (Task("action", LabelSet(names, background, ignored, self.multi_label)),)

    @cached_property
    def schema(self) -> DataSchema:
        """All that a model must know of this data.

        Raises:
            DataError, SettingError: if the data or a setting cannot be used.
        """
        check_settings(self)
        tasks, goals = self.unknown.known_tasks(self.tasks), self.unknown.known_goals(self.goals)
        check_choice(tasks)
        return DataSchema(tasks, goals, self.features, self.windows, self.unknown.names)

    @cached_property
    def unknown(self) -> UnknownClasses:
        """The classes that training never sees.

        Raises:
            SettingError: if they cannot be held out.
        """
        return choose_unknown(self.tasks, self.unknown_classes, self.unknown_seed, self.added_classes)

    @cached_property
    def features(self) -> FeatureSpec:
        """Origin and shape of the frames, with the statistics of the training videos if ``standardize``."""
        training = self.videos("train")
        videos = training or self.videos("val") or self.videos("test")
        if not videos:
            raise self._empty("train")
        spec = videos[0].frames.spec
        check_same_kind(videos, spec)
        if not self.standardize or not training:
            return spec
        mean, std = feature_statistics([record.frames for record in training])
        return spec._replace(mean=mean, std=std)

    @cached_property
    def held_out(self) -> list[str]:
        """Groups of training videos that validation uses because there is no ``val`` split; stored in checkpoints."""
        training = self.listed("train")
        return [] if self.listed("val") or not training else hold_out(training, self.val_fraction)

    def listed(self, split: Split) -> list[VideoRecord]:
        """The records of a split before the hold-out, asked for once; names checked to be distinct."""
        if split not in self._listed:
            self._listed[split] = distinct(self.records(split), split)
        return self._listed[split]

    def videos(self, split: Split) -> list[VideoRecord]:
        """The videos of a split after the hold-out."""
        held = set() if split == "test" else set(self.held_out)
        if split == "test" or (split == "val" and not held):
            return self.listed(split)
        return [record for record in self.listed("train") if (group_of(record) in held) == (split == "val")]

    def first_video(self, split: Split) -> int:
        """Global number of the first video of a split: those of the splits before it are counted."""
        return sum(len(self.videos(earlier)) for earlier in SPLITS[: SPLITS.index(split)])

    @property
    def video_names(self) -> list[str]:
        """Names by global number (``Batch.video``): training videos, then validation, then test.

        Once loaders were made, only as far as they go, so that prediction on ``val`` does not look for test videos.
        """
        last = max((SPLITS.index(split) for split, _ in self._sets), default=len(SPLITS) - 1)
        return [record.name for split in SPLITS[: last + 1] for record in self.videos(split)]

    def dataset(self, split: Split, training: bool = False) -> WindowDataset:
        """The samples of a split, as training draws them or one query for every frame.

        Raises:
            DataError: if the split is empty, or its features are of another kind than the training videos'.
        """
        if (split, training) not in self._sets:
            self._sets[split, training] = self._dataset(split, training)
        return self._sets[split, training]

    def _dataset(self, split: Split, training: bool) -> WindowDataset:
        if not (videos := self.videos(split)):
            raise self._empty(split)
        return self.dataset_of(videos, self.first_video(split), split == "train", training)

    def dataset_of(self, videos: list[VideoRecord], first: int, known: bool, training: bool = False) -> WindowDataset:
        """The samples of some videos, numbered from ``first`` on; ``known`` ignores classes held out of training."""
        classes, given, published = self.schema.tasks[0].labels, self.tasks, self.sampling == "published"
        check_same_kind(videos, self.schema.features)
        timelines = [self.unknown.relabeled(timeline(record, given[0].labels), given, known) for record in videos]
        single = [record.name for record, laid in zip(videos, timelines, strict=True) if laid.queries.label.ndim == 1]
        if self.multi_label and (single or not classes.multi_label):
            raise SettingError(
                f"data.multi_label is set, and {type(self).__name__} has one label a frame.", "leave it out"
            )
        if training:
            check_labels(timelines, classes)
        queries = [laid.queries for laid in timelines]
        plans = plans_of(self, [record.frames.num_frames for record in videos], queries, training, classes)
        records = with_goals(videos, self.goals, self.schema.goals)
        return WindowDataset(records, timelines, plans, self.windows, first, training, published)

    def _empty(self, split: Split) -> DataError:
        return DataError(
            f"The {split} split of {type(self).__name__} has no videos.",
            "check data.root and the annotations, or choose a split that has some: `validate` scores the val split",
        )

    def setup(self, stage: str) -> None:
        """Read what the stage needs, so that bad data stops a run before it starts."""
        if stage == "fit":
            if self.held_out:
                rank_zero_info(f"Held out of training for validation, by group: {', '.join(self.held_out)}")
            self.dataset("train", training=True)
        if stage == "validate" or (stage == "fit" and self.videos("val")):
            self.dataset("val")
        if stage in ("test", "predict"):
            self.dataset("test" if stage == "test" else self.predict_split)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of shuffled training samples."""
        return self._loader(self.dataset("train", training=True), self.batch_size)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Every frame of the validation videos once; no loader at all if there are none."""
        return self._loader(self.dataset("val"), self.eval_batch_size) if self.videos("val") else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Every frame of the test videos once."""
        return self._loader(self.dataset("test"), self.eval_batch_size)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Every frame of the videos of ``predict_split`` once."""
        return self._loader(self.dataset(self.predict_split), self.eval_batch_size)

    def _loader(self, dataset: WindowDataset, batch_size: int) -> DataLoader[Batch]:
        trainer = self.trainer
        processes, rank = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        repeated = trainer is not None and trainer.overfit_batches > 0  # type: ignore[attr-defined]  # not declared
        return loader_of(dataset, EpochSampler(dataset, batch_size, processes, rank, repeated), self.num_workers)

    @cached_property
    def fingerprints(self) -> dict[str, list[str]]:
        """Of labels and features of every video for training and validation, by name."""
        return fingerprints([*self.videos("train"), *self.videos("val")])

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the data: the groups held out for validation, and fingerprints of the videos."""
        return {"held_out": self.held_out, "videos": self.fingerprints}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Warn if the checkpoint's run had other labels or features, or was validated on other videos."""
        warn_of_changes(state_dict.get("videos", self.fingerprints), self.fingerprints)
        held_out = state_dict.get("held_out", self.held_out)
        if held_out != self.held_out:
            warnings.warn(
                f"The checkpoint's run held out {held_out} for validation, this one {self.held_out}: "
                "its validation scores may be of videos it was trained on.",
                stacklevel=2,
            )
