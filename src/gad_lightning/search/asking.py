"""Questions to an index: a text, a moment of a video, steps in an order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.detection import open_frames
from gad_lightning.errors import SettingError
from gad_lightning.retrieval.moment_index import MomentIndex, Neighbors, Unit
from gad_lightning.retrieval.orders import best_chains
from gad_lightning.schema import normalized
from gad_lightning.search.embedding import WITH_TEXTS, Embedder
from gad_lightning.types import Batch

CANDIDATES = 1000
"""Moments of each step that may be part of an order."""


class Moment(NamedTuple):
    """A moment that was found."""

    video: str
    start: float  # seconds
    end: float
    label: str  # predicted class
    probability: float  # of it
    score: float  # cosine to the question, or the probability of the class that was asked for


class Answer(NamedTuple):
    """One answer: a moment, or a moment for each step of an order."""

    score: float
    moments: tuple[Moment, ...]


def by_text(index: MomentIndex, text: str, embedder: Embedder | None, count: int, unit: Unit) -> list[Answer]:
    """Moments nearest to a text; where texts have no place, those of the class of that name."""
    return _answers(index, _of_text(index, text, embedder, count, unit))


def by_row(index: MomentIndex, row: NDArray[np.float32], count: int, unit: Unit) -> list[Answer]:
    """Moments nearest to an embedding."""
    return _answers(index, index.nearest(row, count, unit))


def by_order(index: MomentIndex, steps: Sequence[str], embedder: Embedder | None, count: int) -> list[Answer]:
    """The best moments of each video for steps in that order.

    Raises:
        SettingError: with fewer than two steps.
    """
    if len(steps) < 2:
        raise SettingError(
            f"An order has at least two steps, got {list(steps)}.", 'write --order "cut tomato, add salt"'
        )
    found = [_of_text(index, step, embedder, CANDIDATES, "segment") for step in steps]
    chains = best_chains(found, index.moments, count)
    scores = [dict(zip(step.numbers.tolist(), step.scores.tolist(), strict=True)) for step in found]
    return [
        Answer(
            chain.score,
            tuple(_moment(index, number, scores[step][number]) for step, number in enumerate(chain.numbers)),
        )
        for chain in chains
    ]


def needs_classifier(index: MomentIndex) -> bool:
    """Whether a text can only be asked with the classifier at hand."""
    return index.facts.space in WITH_TEXTS


def row_of_moment(classifier: Classifier, embedder: Embedder, video: Path, second: float) -> NDArray[np.float32]:
    """Embedding of what a classifier sees at a second of a video file, or of a .npy file of features: (p,).

    Raises:
        MissingDataError, DataError: if it cannot be read.
        SettingError: if the video does not last so long.
    """
    spec, windows = classifier.schema.features, classifier.schema.windows
    source = open_frames(video, None, spec, None, "keep")
    frame = int(second * spec.fps + 1e-6)
    if frame < 0 or frame >= source.num_frames:
        length = source.num_frames / spec.fps
        raise SettingError(
            f"{video} lasts {length:g} s; there is no second {second:g} in it.", "ask for an earlier one"
        )
    rows = torch.from_numpy(source.rows(np.arange(max(0, frame + 1 - windows.frames), frame + 1)))[None]
    with torch.inference_mode():
        classifier.eval()
        asked = Batch.at_last_frames(rows.to(classifier.device), torch.tensor([rows.shape[1]]))
        states = classifier.scores(asked).slot_states
    row: NDArray[np.float32] = embedder.states(states)[0]
    return row


def _of_text(index: MomentIndex, text: str, embedder: Embedder | None, count: int, unit: Unit) -> Neighbors:
    """Neighbors of a text, or moments of the class of that name.

    Raises:
        SettingError: if there is neither.
    """
    if embedder is not None and embedder.of_texts is not None:
        with torch.no_grad():
            row: NDArray[np.float32] = embedder.of_texts([text]).float().cpu().numpy()[0]
        return index.nearest(row, count, unit)
    wanted = normalized(text).casefold()
    labels = [label for label, name in enumerate(index.facts.classes) if normalized(name).casefold() == wanted]
    if not labels:
        some = ", ".join(repr(name) for name in index.facts.classes[:20])
        raise SettingError(
            f"{text!r} is no class, and this classifier knows no other texts; its classes are {some}"
            f"{' ...' if len(index.facts.classes) > 20 else ''}.",
            "ask for a class, or train with objectives: [gad_lightning.ContrastText]",
        )
    return index.of_class(labels[0], count, unit)


def _answers(index: MomentIndex, found: Neighbors) -> list[Answer]:
    """One answer a neighbor."""
    pairs = zip(found.numbers.tolist(), found.scores.tolist(), strict=True)
    return [Answer(score, (_moment(index, number, score),)) for number, score in pairs]


def _moment(index: MomentIndex, number: int, score: float) -> Moment:
    """A row of the table in words."""
    row = index.moments[number]
    label = int(row["label"])
    name = index.facts.classes[label] if 0 <= label < len(index.facts.classes) else "unknown"
    start, end, probability = (float(row[column]) for column in ("start", "end", "probability"))
    return Moment(index.facts.videos[int(row["video"])], start, end, name, probability, score)
