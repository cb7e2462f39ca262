"""Ranks contexts for GAD by the slot states of a classifier that was trained without them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.classifiers.choosing_context.information import Coded, Interval, Rows, coded, shown, told
from gad_lightning.classifiers.choosing_context.probes import Floats
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.remembering import PastLabels
from gad_lightning.classifiers.saving.same_data import check_same_windows
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.sampling import BatchKey
from gad_lightning.errors import DataError, SettingError
from gad_lightning.parts import check_given
from gad_lightning.prompts.answers import context_queries
from gad_lightning.prompts.contexts.auto import usual_contexts
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.joined import JoinedContexts, checked_contexts
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.results.context_table import ContextRow, ContextTable
from gad_lightning.types import IGNORED, known_class

LEAST_VIDEOS = 10
"""Two for each of the outer folds."""
MOMENTS = 1500
"""That are looked at in all videos together, about; at least 4 and at most 64 of a video."""
TINY = 1e-12
COMPONENTS = 32
"""Principal components of the slot states that the probes see."""


class ContextScore(NamedTuple):
    """One context; information in nats, a mean over videos with its 95 % interval."""

    context: AuxiliaryContext
    told: Interval  # what it tells of the label beside the slot, I(c -> label | slot)
    shown: Interval  # what the slot tells of it, I(slot -> c)

    @property
    def score(self) -> Interval:
        """The smaller of the two."""
        return self.told.least(self.shown)

    @property
    def name(self) -> str:
        """In short, such as ``PreviousActions(2)``."""
        return name_of(self.context)


class ContextRanking(NamedTuple):
    """All contexts, the best first, and the label itself, which GAD writes anyhow, as what can be reached at most."""

    scores: tuple[ContextScore, ...]
    label: ContextScore
    split: str
    videos: int
    moments: int

    @property
    def best(self) -> AuxiliaryContext:
        """The context of the highest score; the label alone where no interval lies above 0."""
        clear = [score.context for score in self.scores if score.score.low > 0]
        return clear[0] if clear else NoContext()

    def table(self) -> ContextTable:
        """What is kept of it in the folder of a run."""
        named = [*((score.name, score) for score in self.scores), ("the label, written anyhow", self.label)]
        rows = tuple(ContextRow(name, score.score, score.told, score.shown) for name, score in named)
        return ContextTable(self.split, self.videos, name_of(self.best), rows)


def name_of(context: AuxiliaryContext) -> str:
    """A context in short.

    Example:
        >>> from gad_lightning.prompts.contexts.next import NextActions
        >>> name_of(JoinedContexts([NextActions(2), NoContext()]))
        'NextActions(2) + NoContext'
    """
    if isinstance(context, JoinedContexts):
        return " + ".join(map(name_of, context.contexts))
    values = [str(value) for name, value in context.arguments.items() if name != "with_label"]
    return type(context).__name__ + (f"({', '.join(values)})" if values else "")


def rank_contexts(
    classifier: DiscriminativeClassifier,
    data: ActionDataModule,
    contexts: Sequence[AuxiliaryContext] | None = None,
    split: Split = "val",
    task: int = 0,
) -> ContextRanking:
    """Estimate from slot states alone what each context and the slot tell of each other; only probes are trained.

    A context can help only if it tells something of the label that the slot does not yet show, and if the slot shows
    something of it, so that writing it teaches. Its score is the smaller of the two.

    Args:
        classifier: trained without a context, such as a run of Disc.
        data: what it was trained on.
        contexts: to rank; by default 1 to 3 previous actions, 1 and 2 next ones, the goal if there are goals, pairs.
        split: whose videos are read; the classifier should not have been trained on them.
        task: index into the schema's tasks.

    Raises:
        SettingError: if the classifier reads no slot, several labels can be true, or the data has other classes.
        CheckpointError: if the data lays out other windows.
        DataError: if there are fewer than 10 labeled videos, or a context writes nothing about any of them.

    Source: usable information: Xu et al., ICLR 2020; conditional probing: Hewitt et al., EMNLP 2021, arXiv 2109.09234.
    """
    check_given("classifier", classifier, DiscriminativeClassifier)
    check_rankable(classifier, data, split, task)
    if contexts is None:
        given = usual_contexts(3, 2, bool(classifier.schema.goals))
    else:
        given = checked_contexts(contexts, "rank_contexts")
    rows, queries = _read(classifier, data, split, task)
    parts = [_columns(context, queries) for context in given]
    label, known = [Coded(rows.label, rows.asked.classes)], rows.penalties()

    def scored(context: AuxiliaryContext, columns: list[Coded]) -> ContextScore:
        """Both kinds of information."""
        return ContextScore(context, Interval.over(told(rows, columns, known)), Interval.over(shown(rows, columns)))

    scores = [scored(context, columns) for context, columns in zip(given, parts, strict=True)]
    scores.sort(key=lambda score: -score.score.value)
    videos = int(rows.video.max()) + 1
    return ContextRanking(tuple(scores), scored(NoContext(), label), split, videos, len(rows.label))


def check_rankable(classifier: DiscriminativeClassifier, data: ActionDataModule, split: Split, task: int = 0) -> None:
    """Refuse what contexts cannot be ranked on.

    Raises:
        SettingError: if there is no such task, several labels can be true, or the data has other classes.
        CheckpointError: if the data lays out other windows.
        DataError: if the split has fewer than 10 videos.
    """
    tasks = classifier.schema.tasks
    if not 0 <= task < len(tasks):
        raise SettingError(f"There is no task {task}: the classifier has {len(tasks)}.", "count the tasks from 0")
    if tasks[task].labels.multi_label:
        raise SettingError(
            f"Several labels can be true at once in the task {tasks[task].name!r}, and contexts are ranked by one.",
            "leave data.multi_label out, or choose the context by hand",
        )
    given = data.schema.tasks
    if task >= len(given) or given[task].labels.names != tasks[task].labels.names[: len(given[task].labels.names)]:
        raise SettingError(
            f"{type(data).__name__} has other classes than the classifier.", "use the data it was trained on"
        )
    check_same_windows(classifier, data.schema)
    found = len(data.videos(split))
    if found < LEAST_VIDEOS:
        raise DataError(
            f"The {split} split of {type(data).__name__} has {found} videos, and contexts are ranked on at least "
            f"{LEAST_VIDEOS}.",
            "raise data.val_fraction and train again, or choose the context by hand",
        )


def _read(
    classifier: DiscriminativeClassifier, data: ActionDataModule, split: Split, task: int
) -> tuple[Rows, list[ContextQuery]]:
    """Slot states and queries of some moments of every video, evenly spread."""
    dataset, classes = data.dataset(split), len(classifier.schema.tasks[task].labels.names)
    wanted = _moments(dataset, task, classes)
    if len(wanted) < LEAST_VIDEOS:
        raise DataError(
            f"Only {len(wanted)} videos of the {split} split have labels, and contexts are ranked on at least "
            f"{LEAST_VIDEOS}.",
            "label more of them, or choose the context by hand",
        )
    states: list[torch.Tensor] = []
    queries: list[ContextQuery] = []
    video: list[int] = []
    past = PastLabels()
    samples = _samples(dataset, wanted, classifier.memory is not None)
    for start in range(0, len(samples), data.eval_batch_size):
        key = BatchKey(0, tuple(samples[start : start + data.eval_batch_size]))
        batch = dataset[key].to(torch.device(classifier.device))
        numbers = (batch.video - dataset.first_video).tolist()
        kept = [row in wanted.get(n, ()) for n, row in zip(numbers, batch.query_index.tolist(), strict=True)]
        with torch.no_grad():
            found = classifier.score_in_evaluation(batch, past)
        asked = context_queries(batch, classifier.schema, torch.tensor(kept, dtype=torch.bool))
        states.append(found.slot_states[torch.tensor(kept, dtype=torch.bool)].float().cpu())
        video += [number for number, keep in zip(numbers, kept, strict=True) if keep]
        queries += [query for query in asked if query is not None]
    label = np.array([query.label for query in queries], dtype=np.int64)
    numbered = np.unique(np.array(video, dtype=np.int64), return_inverse=True)[1]
    return Rows(_components(torch.cat(states).double().numpy()), label, numbered), queries


def _moments(dataset: WindowDataset, task: int, classes: int) -> dict[int, set[int]]:
    """By video numbers of queries that are looked at, evenly spread over those whose label is one of the classes."""
    most = min(64, max(4, MOMENTS // len(dataset.records)))
    found: dict[int, set[int]] = {}
    for number, laid in enumerate(dataset.timelines):
        known = known_class(torch.from_numpy(laid.queries.label), classes).numpy() != IGNORED
        own = np.flatnonzero(known & (laid.queries.task == task))
        if len(own):
            places = np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(np.int64)
            found[number] = set(own[places].tolist())
    return found


def _samples(dataset: WindowDataset, wanted: dict[int, set[int]], remembers: bool) -> list[int]:
    """Numbers of the samples to read: of windows those that are wanted; of chunks all, and for a memory too."""
    plan = dataset.plan(0)
    pairs = zip(plan.video.tolist(), plan.row.tolist(), strict=True)
    return [n for n, (video, row) in enumerate(pairs) if remembers or row < 0 or row in wanted.get(video, ())]


def _components(states: Floats) -> Floats:
    """Principal components of states (n, H), the first of them: (n, at most :data:`COMPONENTS`), mean square 1."""
    centered = states - states.mean(0)
    left, sizes, _ = np.linalg.svd(centered / max(float(centered.std()), TINY), full_matrices=False)
    kept = left[:, :COMPONENTS] * sizes[:COMPONENTS]
    found: Floats = kept / max(float((kept**2).mean()), TINY) ** 0.5
    return found


def _columns(context: AuxiliaryContext, queries: Sequence[ContextQuery]) -> list[Coded]:
    """What a context writes part by part, with a value of its own where it has no such part.

    Raises:
        DataError: if it writes nothing about any query.
    """
    if isinstance(context, JoinedContexts):
        return [column for one in context.contexts for column in _columns(one, queries)]
    columns = list(zip_longest(*(context.written(query) for query in queries)))
    if not columns:
        raise DataError(
            f"{name_of(context)} writes nothing about any of the videos: they have no such fields.",
            "leave it out, or give the videos what it writes, such as goals",
        )
    return [coded(column) for column in columns]
