"""What decisions that were fitted on validation do on test, beside the usual ways; plain numbers for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.calibration import Wanted, fitted, observed_in
from gad_lightning.compare.runs import RESULT, Run
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.decisions.counting import cost_of, track_of
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Bools, Floats, Ints, Observed
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.decisions.thresholds import FRACTIONS, GRID, NEVER, AlarmThresholds, Thresholds
from gad_lightning.metrics.functional.detection_delay import detections
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.video_means import video_means
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.results.tables import read_json
from gad_lightning.tools.run_data import data_of

DRAWS = 200
"""Of the held-out groups that label sets are fitted to."""
FITTED, GLOBAL, FIXED = "a threshold a class, by its bound", "one threshold, by its rate", "one threshold, 0.5"
Cells = dict[str, Any]


class Part(NamedTuple):
    """What a run's classifier says of a split."""

    seen: Observed  # with log-probabilities
    groups: list[str]  # person of each video, or its name


def parts_of(run: Run) -> tuple[Part, Part]:
    """Score validation and test videos with the checkpoint that validation chose."""
    checkpoint, data = chosen_checkpoint(run.home), data_of(run.home, ALLOWED_PACKAGES)
    assert checkpoint is not None, f"{run.home} is finished"
    classifier = Classifier.load_from_checkpoint(checkpoint, "cpu")
    with torch.inference_mode():
        return _part(classifier, data, "val"), _part(classifier, data, "test")


def _part(classifier: Classifier, data: ActionDataModule, split: Split) -> Part:
    seen = observed_in(data, classifier.score_in_evaluation, torch.device("cpu"), classifier.schema, 0, split)
    return Part(seen._replace(unknown=None), [record.group or record.name for record in data.videos(split)])


def row_of(run: Run, split: int, rates: Sequence[float], error: float, parts: tuple[Part, Part]) -> Cells:
    """All that is stored of a split.

    Args:
        run: what was trained.
        split: its number.
        rates: of false alarms, that are stated.
        error: of label sets.
        parts: validation and test.
    """
    val, test = parts
    facts = {name: read_json(run.home / RESULT)[name] for name in ("version", "commit", "torch", "hardware")}
    sizes = {
        name: {"videos": part.seen.num_videos, "groups": len(set(part.groups)), "hours": float(part.seen.hours.sum())}
        for name, part in zip(("val", "test"), parts, strict=True)
    }
    temperature = Temperature.fit(val.seen)
    right = test.seen.scores.argmax(1) == test.seen.truth.argmax(1)
    return {
        "split": split,
        "seed": run.seed,
        **facts,
        **sizes,
        "classes": len(val.seen.actions),
        "temperature": temperature.value,
        "accuracy": float(right[test.seen.known].mean()),
        "alarms": alarms_at(val.seen, test.seen, rates),
        **sets_at(error, [part._replace(seen=calibrated(part.seen, temperature)) for part in parts]),
    }


def alarms_at(val: Observed, test: Observed, rates: Sequence[float]) -> list[Cells]:
    """What each way to choose thresholds does on test, at stated rates of each class."""
    labels, fps, temperature = val.labels, val.fps, Temperature.fit(val)
    known, rows = calibrated(val, temperature), []
    alarms = alarms_of_all(known, max(rates) * float(val.hours.sum()) * len(val.actions))
    for rate in rates:
        ways = {
            FITTED: fitted(val, Wanted(AlarmThresholds(rate, absent="pool"), MinimumDuration(), None)),
            GLOBAL: Decisions(labels, fps, temperature, one_threshold(known, rate, alarms)),
            FIXED: Decisions(labels, fps, None, Thresholds([0.5] * len(labels.names))),
        }
        rows += [{"way": way, "stated": rate, **outcome(made, test)} for way, made in ways.items()]
    return rows


def calibrated(seen: Observed, temperature: Temperature) -> Observed:
    """The same with calibrated probabilities."""
    return seen._replace(scores=temperature(seen.scores, seen.labels.multi_label))


def one_threshold(val: Observed, rate: float, alarms: Ints) -> Thresholds:
    """The smallest threshold of all classes that keeps the rate on validation itself, at the mean of the classes.

    Args:
        val: with calibrated probabilities.
        rate: false alarms an hour of a class.
        alarms: of :func:`alarms_of_all`.
    """
    tracks = [track_of(val, label) for label in val.actions]
    kept = np.cumprod(alarms <= rate * float(val.hours.sum()) * len(tracks)).sum()
    enter = GRID[kept - 1] if kept else NEVER
    leaves = [enter if enter >= NEVER else enter * fraction for fraction in FRACTIONS]
    leave = min(leaves, key=lambda tried: sum(cost_of(track, enter, tried, 1).wrong for track in tracks))
    return Thresholds([enter] * len(val.labels.names), [leave] * len(val.labels.names))


def alarms_of_all(val: Observed, most: float) -> Ints:
    """False alarms of all classes under each threshold that is tried, the strictest first, until they are ``most``."""
    tracks, found = [track_of(val, label) for label in val.actions], [0]
    for tried in GRID:
        if found[-1] <= most:
            found.append(sum(int(cost_of(track, tried, tried, 1).alarms.sum()) for track in tracks))
    return np.array(found[1:])


def outcome(made: Decisions, seen: Observed) -> Cells:
    """False alarms of every class, share of actions found and how late, by the library's own decision path."""
    on = made(seen.scores, seen.breaks).on
    each = [
        detections(seen.table(label)._replace(preds=torch.from_numpy(on[:, label]).long()), LabelSpace(2))
        for label in seen.actions
    ]
    delay = torch.cat([found.delay for found in each])
    late = (delay[delay >= 0].double() / seen.fps).tolist()
    return {
        "alarms": [len(found.alarms) for found in each],
        "hours": float(seen.hours.sum()),
        "recall": len(late) / len(delay),
        "median_delay": float(np.median(late)) if late else None,
    }


def sets_at(error: float, parts: Sequence[Part]) -> Cells:
    """What label sets of an error do on test, and over many draws of the groups that they are fitted to.

    Args:
        error: share of frames whose label may be missing.
        parts: validation and test, with calibrated probabilities.
    """
    ours, new = (part.seen for part in parts)
    sets = {way: coverage(new, made) for way, made in fitted_sets(ours, error).items()}
    draw, means = np.random.default_rng(0), dict[str, list[float]]()
    for _ in range(DRAWS):
        ours, new = (part.seen for part in drawn_anew(parts, draw))
        for way, made in fitted_sets(ours, error).items():
            means.setdefault(way, []).append(float(np.mean(coverage(new, made)["coverage"])))
    drawn = {way: {"mean": float(np.mean(each)), "spread": float(np.std(each))} for way, each in means.items()}
    return {"sets": sets, "redrawn": drawn}


def fitted_sets(val: Observed, error: float) -> dict[str, ConformalLabels]:
    """Label sets whose quantile counts by video, and those for which every frame is a draw of its own."""
    return {"by video": ConformalLabels(error).fit(val), "by frame": ConformalLabels(error, frame_quantile(val, error))}


def drawn_anew(parts: Sequence[Part], draw: np.random.Generator) -> tuple[Part, Part]:
    """Validation and test of as many groups as before, drawn among all that were held out of training."""
    seen, groups = joined([part.seen for part in parts]), np.array([name for part in parts for name in part.groups])
    chosen = np.isin(groups, draw.permutation(np.unique(groups))[: len(set(parts[0].groups))])
    first, second = (Part(of_videos(seen, each), groups[each].tolist()) for each in (chosen, ~chosen))
    return first, second


def joined(each: Sequence[Observed]) -> Observed:
    """The videos of all, one after the other."""
    before = np.cumsum([0, *(seen.num_videos for seen in each)])
    video = np.concatenate([seen.video + number for seen, number in zip(each, before, strict=False)])
    columns = {name: np.concatenate([seen._asdict()[name] for seen in each]) for name in ("scores", "truth", "frame")}
    return each[0]._replace(video=video, **columns)


def of_videos(seen: Observed, chosen: Bools) -> Observed:
    """Some videos, numbered anew.

    Args:
        seen: of K videos.
        chosen: (K,).
    """
    rows = chosen[seen.video]
    video = (np.cumsum(chosen) - 1)[seen.video[rows]]
    return seen._replace(scores=seen.scores[rows], truth=seen.truth[rows], frame=seen.frame[rows], video=video)


def frame_quantile(seen: Observed, error: float) -> float:
    """Misfit that a new frame stays below with probability 1 - ``error``, were all frames exchangeable."""
    misfit = np.sort(1 - _likely(seen)[seen.known])
    return float(misfit[min(math.ceil((len(misfit) + 1) * (1 - error)), len(misfit)) - 1])


def _likely(seen: Observed) -> Floats:
    """Probability of the truth at every frame."""
    found: Floats = np.where(seen.truth == 1, seen.scores, 0).max(1)
    return found


def coverage(seen: Observed, sets: ConformalLabels) -> Cells:
    """Per video: share of frames whose label the set holds; over videos: labels in a set."""
    members = sets(seen.scores)
    columns = ((members & (seen.truth == 1)).any(1), members.sum(1))
    known, video = torch.from_numpy(seen.known), torch.from_numpy(seen.video)
    held, size = (video_means(torch.from_numpy(c).double(), known, video, seen.num_videos) for c in columns)
    return {"coverage": [round(share, 4) for share in held.tolist() if share >= 0], "size": float(size.nanmean())}
