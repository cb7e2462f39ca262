"""The card of a shared classifier: what it is of, what it may be used for, and what its licenses ask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from gad_lightning import __version__
from gad_lightning.classifiers.saving.checkpoint import TrainedWeights
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.thresholds import COST_HEADER, AlarmThresholds
from gad_lightning.errors import SettingError
from gad_lightning.escape import escape_code, escape_markdown
from gad_lightning.schema import LabelSet
from gad_lightning.types import Predictions


class CardFacts(NamedTuple):
    """What only the person who shares a classifier knows."""

    data: str = ""  # what it was trained on
    data_license: str = ""
    intended_use: str = ""
    results: Mapping[str, Mapping[str, float]] = {}  # per class name, values by name; see class_results
    measured_on: str = ""  # what the results are of


class License(NamedTuple):
    """The license of a family of base models."""

    begins: str  # names on the hub begin so
    tag: str  # as the hub writes it
    name: str
    duties: tuple[str, ...]


def _llama(product: str, tag: str, begins: str, built_with: str, name_begins: str) -> License:
    """The duties are those of section 1.b of the Llama community licenses."""
    return License(
        begins,
        tag,
        f"{product} Community License",
        (
            "give a copy of the license along with the model",
            f'show "Built with {built_with}" prominently where the model is offered',
            f'begin the name of the model with "{name_begins}"',
            f'keep the notice "{product} is licensed under the {product} Community License, '
            'Copyright © Meta Platforms, Inc. All Rights Reserved."',
            "keep to its Acceptable Use Policy",
        ),
    )


LICENSES = (
    _llama("Llama 3.2", "llama3.2", "meta-llama/Llama-3.2-", "Llama", "Llama"),
    _llama("Llama 3.1", "llama3.1", "meta-llama/Llama-3.1-", "Llama", "Llama"),
    _llama("Meta Llama 3", "llama3", "meta-llama/Meta-Llama-3-", "Meta Llama 3", "Llama 3"),
    License(
        "Qwen/Qwen3-",
        "apache-2.0",
        "Apache License 2.0",
        ("give a copy of the license along with the model", "say what was changed (here: weights were added)"),
    ),
)
"""Base models whose duties are known; for others the card says to look them up."""


def model_card(classifier: TrainedWeights, facts: CardFacts) -> str:
    """Write the card as Markdown.

    Args:
        classifier: what is shared.
        facts: what it cannot know.

    Raises:
        SettingError: if a result is of no class.
    """
    base = classifier.backbone.language_model or type(classifier.backbone).__name__
    revision = classifier.backbone.commit
    license = next((known for known in LICENSES if base.startswith(known.begins)), None)
    features, kind = classifier.schema.features, type(classifier).__name__
    header = {"library_name": "gad-lightning", "pipeline_tag": "video-classification"}
    if base.count("/") == 1 and not base.startswith((".", "~", "/")):
        header["base_model"] = base
    if license:
        header["license"] = license.tag
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in header.items())
    duties = [f"- {duty}" for duty in license.duties] if license else ["- not known here: look them up and add them"]
    return "\n".join(
        [
            f"---\n{front}---\n",
            f"# {kind} on {escape_markdown(base)}\n",
            f"Says which of a fixed set of actions a video shows. Made with gad-lightning {__version__}.\n",
            "```python",
            f"from gad_lightning import {kind}",
            f'classifier = {kind}.from_pretrained("owner/name")',
            "```\n",
            f"Frames: encoder {escape_code(features.encoder)}, {features.fps:g} a second, "
            f"{features.tokens_per_frame} tokens of width {features.width}.\n",
            f"## Intended use\n\n{_stated(facts.intended_use)}\n",
            f"## Base model\n\n{escape_code(base)}, revision {f'`{revision}`' if revision else 'not on the hub'}, "
            f"{license.name if license else 'license not known here'}. Whoever passes this model on must:\n",
            *duties,
            f"\n## Training data\n\n{_stated(facts.data)}\n\nLicense of the data: {_stated(facts.data_license)}\n",
            *_decision_tables(classifier.decisions),
            *_class_tables(classifier.schema.label_sets, facts),
        ]
    )


def _decision_tables(decisions: Mapping[str, Decisions]) -> list[str]:
    """What was fitted after training, a table a task; nothing if nothing was."""
    lines = []
    for task, made in decisions.items():
        rule, told = made.thresholds, made.fitted_on
        stated = (
            f", false alarms an hour of each class below {rule.rate:g}" if isinstance(rule, AlarmThresholds) else ""
        )
        kept = "" if made.steady is None else f" The label of a frame is chosen by {type(made.steady).__name__}."
        missed = "" if made.sets is None else f" Label sets miss the label of at most {made.sets.error:.0%} of frames."
        seen = "" if told is None else f"Fitted on {told.videos} validation videos, {told.hours:g} hours. "
        lines += [
            f"## Decisions of {escape_markdown(task)}\n",
            f"{seen}Temperature {made.temperature.value:g}{stated}; a class goes on or off after {made.frames} "
            f"frames.{kept}{missed}\n",
        ]
        if told is not None and told.steadiness is not None:
            lines.append(f"{told.steadiness}.\n")
        elif told is not None:
            rows = [COST_HEADER, ("---",) * len(COST_HEADER), *(row.cells() for row in told.costs)]
            lines += [f"| {' | '.join([escape_markdown(row[0]), *row[1:]])} |" for row in rows]
            lines.append("")
    return lines


def _stated(text: str) -> str:
    """The text, or that there is none."""
    return text or "not stated"


def _class_tables(label_sets: Sequence[LabelSet], facts: CardFacts) -> list[str]:
    """A table a label set, one row a class; classes without a result have a dash.

    Raises:
        SettingError: if a result is of no class.
    """
    names = [name for labels in label_sets for name in labels.names]
    for name in facts.results:
        if name not in names:
            raise SettingError(f"There is a result of {name!r}, which is no class.", "use the names of the label sets")
    columns = list(dict.fromkeys(column for values in facts.results.values() for column in values))
    lines = [f"## Classes\n\nResults: {facts.measured_on or 'not measured'}.\n" if facts.results else "## Classes\n"]
    for labels in label_sets:
        lines += [" | ".join(["| class", *map(escape_markdown, columns)]) + " |", "| --- " * (1 + len(columns)) + "|"]
        for name in labels.names:
            values = facts.results.get(name, {})
            cells = [f"{values[column]:.4g}" if column in values else "-" for column in columns]
            lines.append(" | ".join([f"| {escape_markdown(name)}", *cells]) + " |")
        lines.append("")
    return lines


def class_results(predictions: Predictions, labels: LabelSet, task: int = 0) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and count of each class, by frame or by clip: all in [0, 1] but the count.

    Args:
        predictions: of the queries of a test run, each once.
        labels: the classes.
        task: index of the task.

    Example:
        >>> none, score = torch.zeros(3, dtype=torch.int64), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> rows = Predictions(none, none, none, none, torch.tensor([0, 0, 1]), score, score, score)
        >>> class_results(rows, LabelSet(("background", "stir")))["stir"]
        {'precision': 0.5, 'recall': 1.0, 'F1': 0.6666666666666666, 'count': 1.0}
    """
    asked = predictions.task == task
    target, said = predictions.target[asked], predictions.scores[asked, : len(labels.names)].argmax(1)
    asked = (target >= 0) & (target < len(labels.names))
    said, target = said[asked], target[asked]
    results = {}
    for index, name in enumerate(labels.names):
        right = float(torch.sum((said == index) & (target == index)))
        found, there = float(torch.sum(said == index)), float(torch.sum(target == index))
        precision, recall = right / max(found, 1.0), right / max(there, 1.0)
        f1 = 2 * right / max(found + there, 1.0)
        results[name] = {"precision": precision, "recall": recall, "F1": f1, "count": there}
    return results
