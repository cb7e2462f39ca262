"""What is measured of a trained classifier: retrieval of moments, accuracy, and both with neighbors' votes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.predictions import predict_with
from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.compare.scores import grouped
from gad_lightning.compare.statistics import FloatArray
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.metrics.functional.frames import FrameTable, video_breaks
from gad_lightning.results.standard import SEGMENT_F1, TOP1, space_of
from gad_lightning.retrieval.moment_index import IndexFacts, MomentIndex
from gad_lightning.retrieval.votes import NeighborVotes
from gad_lightning.search.building import MomentCollector
from gad_lightning.search.embedding import Embedder, embedder_of
from gad_lightning.types import Predictions

HISTORY = 4
"""Actions, the moment's own the last, whose order is asked for."""
TOP = (1, 5)
Counts = dict[str, list[list[float]]]
"""By measure, a row a unit: hits and questions, or what segment-F1 is made of."""


class Moments(NamedTuple):
    """The last frame of every action of the videos of a split that has ``HISTORY`` actions behind it."""

    rows: NDArray[np.float32]  # (n, p), each of length 1
    video: NDArray[np.int64]  # (n,) within the split
    goal: NDArray[np.int64]  # (n,) -1 if unknown
    history: list[tuple[int, ...]]  # (n,) the last classes, the own one at the end


def predicted(classifier: Classifier, data: ActionDataModule, split: Split) -> Predictions:
    """All frames of a split, in the order of videos and frames."""
    parts = []
    with torch.inference_mode():
        classifier.eval()
        for batch in batches_of(data.dataset(split), data.eval_batch_size, classifier.device):
            parts.append(classifier.scores(batch).cpu()._replace(rejection=None))
    kept = Predictions._fields[:8]
    joined = Predictions(*(torch.cat([part._asdict()[name] for part in parts]) for name in kept))
    return joined.picked(torch.from_numpy(np.lexsort((joined.frame.numpy(), joined.video.numpy()))))


def moments_of(found: Predictions, videos: list[VideoRecord], first: int, embedder: Embedder) -> Moments:
    """Pick the moments and embed them."""
    at = {key: row for row, key in enumerate(zip(found.video.tolist(), found.frame.tolist(), strict=True))}
    picked, video, goal, history = [], [], [], []
    for number, record in enumerate(videos):
        segments = sorted((s for s in record.segments if s.label >= 0), key=lambda segment: segment.start)
        for place in range(HISTORY - 1, len(segments)):
            row = at.get((first + number, min(segments[place].end, record.frames.num_frames) - 1))
            if row is None:
                continue
            picked.append(row)
            video.append(number)
            goal.append(record.goal)
            history.append(tuple(segment.label for segment in segments[place - HISTORY + 1 : place + 1]))
    return Moments(embedder.states(found.slot_states[picked]), np.array(video), np.array(goal), history)


def retrieval(moments: Moments, videos: int) -> dict[str, FloatArray]:
    """Hits and questions of every video, (V, 2), by measure: each moment asks all those of other videos.

    ``procedure``: one of the nearest is of the same procedure. ``order``: one has the same last actions in the same
    order. ``bag``: the same, where only moments of the same last actions, in whatever order, are candidates, and some
    have them in another order. ``bag_own``: of those candidates only those whose own action is the same too.
    """
    cosines = moments.rows @ moments.rows.T
    elsewhere = moments.video[:, None] != moments.video
    code = {history: number for number, history in enumerate(dict.fromkeys(moments.history))}
    order = np.array([code[history] for history in moments.history])
    bags = {bag: number for number, bag in enumerate(dict.fromkeys(tuple(sorted(h)) for h in moments.history))}
    bag = np.array([bags[tuple(sorted(history))] for history in moments.history])
    own = np.array([history[-1] for history in moments.history])
    same_order, same_bag = order[:, None] == order, bag[:, None] == bag
    asked: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {
        "order": (elsewhere, same_order),
        "bag": (elsewhere & same_bag, same_order),
        "bag_own": (elsewhere & same_bag & (own[:, None] == own), same_order),
    }
    if (moments.goal >= 0).any():
        asked["procedure"] = (elsewhere, moments.goal[:, None] == moments.goal)
    found = {}
    for name, (candidates, right) in asked.items():
        ranked = np.argsort(np.where(candidates, -cosines, np.inf), axis=1, kind="stable")
        possible = (candidates & right).any(1) & (candidates & ~right).any(1)
        for top in TOP:
            nearest = ranked[:, :top]
            hit = (np.take_along_axis(right & candidates, nearest, 1)).any(1)
            counts = np.zeros((videos, 2))
            np.add.at(counts, moments.video[possible], np.stack([hit[possible], np.ones(possible.sum())], 1))
            found[f"{name}@{top}"] = counts
    return found


def accuracy(found: Predictions, data: ActionDataModule, videos: int) -> dict[str, FloatArray]:
    """What Top-1 and segment-F1 are made of, a row a video."""
    task, fps = data.schema.tasks[0], data.schema.features.fps
    space = space_of(task)
    counts: dict[str, list[FloatArray]] = {TOP1.name: [], SEGMENT_F1.name: []}
    for video in sorted(set(found.video.tolist())):
        own = found.picked(found.video == video)
        table = FrameTable(own.label, own.target, own.video, own.frame, video_breaks(own.video, own.frame))
        for metric in (TOP1, SEGMENT_F1):
            counts[metric.name].append(metric.counts(table, space, fps).double().numpy())
    assert all(len(rows) == videos for rows in counts.values())
    return {name: np.stack(rows) for name, rows in counts.items()}


def index_of(classifier: Classifier, data: ActionDataModule, split: Split, folder: Path) -> MomentIndex:
    """The index that ``gad-lightning index`` would make of a split."""
    collector = MomentCollector(embedder_of(classifier), classifier)
    data.predict_split = split
    predict_with(classifier, data, collector)
    rows, moments = collector.collected(data.first_video(split))
    names = tuple(record.name for record in data.videos(split))
    facts = IndexFacts("classifier", "", "", collector.embedder.space, 1.0, data.schema.tasks[0].labels.names, names)
    return MomentIndex.build(folder, rows, moments, facts)


def text_to_moment(index: MomentIndex, embedder: Embedder, videos: list[VideoRecord]) -> dict[str, FloatArray]:
    """Whether one of the best segments for the name of a class is of it, a row a class of the videos: (C, 2)."""
    segments = index.moments[: index.segments]
    there = sorted({segment.label for record in videos for segment in record.segments if segment.label >= 0})
    found: dict[str, list[tuple[float, float]]] = {f"text@{top}": [] for top in TOP}
    for label in there:
        if embedder.of_texts is None:
            nearest = index.of_class(label, max(TOP), "segment")
        else:
            with torch.no_grad():
                nearest = index.nearest(
                    embedder.of_texts([index.facts.classes[label]]).cpu().numpy()[0], max(TOP), "segment"
                )
        hits = segments["truth"][nearest.numbers] == label
        for top in TOP:
            found[f"text@{top}"].append((float(hits[:top].any()), 1.0))
    return {name: np.array(rows) for name, rows in found.items()}


def with_votes(
    classifier: Classifier, data: ActionDataModule, folder: Path, found: Predictions
) -> tuple[Predictions, float]:
    """Predictions with the votes of the training moments' labels, weighed on validation; and the weight."""
    embedder = embedder_of(classifier)
    votes = NeighborVotes(index_of(classifier, data, "train", folder), embedder.states)
    votes.fit(predicted(classifier, data, "val"))
    return votes(found), votes.weight


def measured(
    classifier: Classifier, data: ActionDataModule, split: Split, folder: Path
) -> tuple[Counts, Mapping[str, object]]:
    """All measures of a split, by person where persons are known; and what was chosen on the way."""
    videos, embedder = data.videos(split), embedder_of(classifier)
    found = predicted(classifier, data, split)
    by_video = retrieval(moments_of(found, videos, data.first_video(split), embedder), len(videos))
    by_video |= accuracy(found, data, len(videos))
    about: dict[str, object] = {"space": embedder.space}
    by_class: dict[str, FloatArray] = {}
    if split == "test" and isinstance(classifier, DiscriminativeClassifier):
        voted, about["votes_weight"] = with_votes(classifier, data, folder / "train", found)
        by_video |= {f"votes_{name}": counts for name, counts in accuracy(voted, data, len(videos)).items()}
        by_class = text_to_moment(index_of(classifier, data, split, folder / "test"), embedder, videos)
    groups = {record.name: record.group for record in videos if record.group is not None}
    names = [record.name for record in videos]
    counts = {name: grouped(names, groups, rows)[1] for name, rows in by_video.items()} | by_class
    return {name: rows.tolist() for name, rows in counts.items()}, about
