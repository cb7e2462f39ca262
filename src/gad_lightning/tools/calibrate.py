"""Fit decisions to the validation split: temperature, thresholds of a stated false-alarm rate, label sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.saving.rewriting import target_of, write_changed
from gad_lightning.decisions.best_path import BestPath
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.steady import SteadyLabels, SwitchCost
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.thresholds import AlarmThresholds
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.tools.chosen import task_index
from gad_lightning.tools.run_data import data_as_trained

By = Literal["alarms", "switch_cost", "best_path"]
Absent = Literal["refuse", "pool"]


def main(
    *,
    ckpt_path: Path,
    run: Path | None = None,
    by: By = "alarms",
    false_alarms_per_hour: float | None = None,
    confidence: float = 0.95,
    missed: float | None = None,
    absent: Absent = "refuse",
    min_seconds: float = 0.0,
    error: float | None = None,
    task: str | None = None,
    output: Path | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Fit what turns scores into events to the validation split of a run, print what it costs, and save it.

    The checkpoint that is written is used like any other; detect, predict and watch then give its events.

    Args:
        ckpt_path: checkpoint of a trained classifier.
        run: folder or config.yaml of the run whose data is used, also as --config; that of the checkpoint if None.
        by: what chooses labels: thresholds of alarms, a cost of every switch of the label, or the best path through a
            whole video, which looks ahead.
        false_alarms_per_hour: rate that each class's false alarms stay below, above 0; 1 by default.
        confidence: that they do, in (0, 1).
        missed: state this share of missed actions in place of a rate: it holds for the expected share of a new video.
        absent: what a class does that never occurs: refuse, or pool it with all others.
        min_seconds: a class goes on or off once it has lasted so long.
        error: share of frames whose label may be missing in label sets, such as 0.1; none are fitted if None.
        task: name of what is asked; the first by default.
        output: checkpoint to write; calibrated.ckpt beside the one that is read if None.
        allowed: further packages whose classes config and checkpoint may name.

    Raises:
        SettingError: if a setting cannot work, or there is no such task.
        DataError: if there is no validation split, or too little of it for what is stated.
    """
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    sets = None if error is None else ConformalLabels(error)
    target = target_of(ckpt_path, output or ckpt_path.with_name("calibrated.ckpt"))
    thresholds = _way(by, missed, false_alarms_per_hour, confidence, absent)
    data = data_as_trained(ckpt_path, run, packages)
    classifier = Classifier.load_from_checkpoint(ckpt_path, "cuda" if torch.cuda.is_available() else "cpu", packages)
    asked = task_index(classifier.schema, task)
    found = classifier.calibrate(data, thresholds, MinimumDuration(min_seconds), sets, asked)
    print_safely(f"{_told(found)}\n{found.fitted_on}")
    write_changed(classifier, ckpt_path, target)
    print_safely(f"{target} decides so")


def _way(
    by: By, missed: float | None, rate: float | None, confidence: float, absent: Absent
) -> AlarmThresholds | RiskControl | SteadyLabels:
    """What chooses labels.

    Raises:
        SettingError: if two ways are asked for.
    """
    stated = [f"--missed={missed}"] * (missed is not None) + [f"--false_alarms_per_hour={rate}"] * (rate is not None)
    if by != "alarms" and stated:
        raise SettingError(f"{stated[0]} is about thresholds of alarms, and --by is {by}.", "leave one of the two out")
    if len(stated) > 1:
        raise SettingError(f"{' and '.join(stated)} are two promises for one threshold.", "leave one of the two out")
    if by != "alarms":
        return SwitchCost() if by == "switch_cost" else BestPath()
    if missed is not None:
        return RiskControl("missed", missed)
    return AlarmThresholds(1.0 if rate is None else rate, confidence, absent=absent)


def _told(found: Decisions) -> str:
    """What was fitted beside thresholds."""
    lines = [f"temperature {found.temperature.value:g}"]
    if found.frames > 1:
        lines.append(f"a class goes on or off once it has lasted {found.frames} frames")
    if found.sets is not None and found.sets.misfit is not None:
        least = 1 - found.sets.misfit
        lines.append(f"a label set has the classes of a probability of {least:.3g} or more, and the likeliest one")
    return "\n".join(lines)
