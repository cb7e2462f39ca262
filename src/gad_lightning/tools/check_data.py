"""Say what a run's data holds, what is missing, and whether the run would fail."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jsonargparse import ArgumentError, ArgumentParser
from rich.console import Console
from rich.table import Column, Table

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tokenizer_alone import vocabulary_of
from gad_lightning.data.base import SPLITS, ActionDataModule, Split
from gad_lightning.data.benchmarks.annotation_files import LAYOUT, tree
from gad_lightning.data.benchmarks.videos import BenchmarkVideos, UnseenFrames
from gad_lightning.data.own import OwnVideos
from gad_lightning.data.splits import group_of
from gad_lightning.data.statistics import kinds
from gad_lightning.errors import GadError, SettingError
from gad_lightning.escape import escape_lines, escape_terminal
from gad_lightning.metrics.functional.f1 import BANDS, band_title
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.tools.checking.survey import Survey, damaged, mismatches, survey

COUNTS = ("videos", "hours", "frames", "segments")
SHARES = ("background", "not scored", "several labels")
WIDTH = 110
"""Columns that the table needs, also where nobody is looking."""
SHOWN = 6
"""Findings of one kind that are listed; the others are counted."""


def main(
    data: ActionDataModule | None = None,
    model: dict | None = None,  # type: ignore[type-arg]  # with a parameter the parser would instantiate what it holds
    trainer: dict | None = None,  # type: ignore[type-arg]  # the same
    seed_everything: int | bool | None = None,
    ckpt_path: str | None = None,
    init_from: str | None = None,
    other_settings: bool = False,
    weights_only: bool | None = None,
    read_all: bool = False,
) -> None:
    """Look at the data of a run's config: ``gad-lightning check-data --config run.yaml``.

    Shows the files that are there and missing, what every split holds, how many classes are rare, how many tokens the
    labels have, and where features and annotations do not fit together. Exits with status 1 if a run would fail.

    Args:
        data: the data module; of the config.
        model: of the config; its tokenizer counts the tokens of the labels.
        trainer: of the config; not used.
        seed_everything: of the config; not used.
        ckpt_path: of the config; not used.
        init_from: of the config; not used.
        other_settings: of the config; not used.
        weights_only: of the config; not used.
        read_all: read every frame of every feature file, not only the first and the last one.

    Raises:
        SettingError: if no data module is given.
        SystemExit: with status 1 if a run would fail.
    """
    if data is None:
        raise SettingError("There is no data to check.", "give the config of a run: --config run.yaml")
    width = max(WIDTH, shutil.get_terminal_size().columns)
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True, width=width)
    findings = Findings()
    standardize = data.standardize
    counted = _look(data, findings)
    if isinstance(data, BenchmarkVideos):
        console.print(escape_lines(tree(data.root, data.expected)))
    if counted:
        console.print(_split_table(data, counted))
        lines = [*_class_lines(data, counted), *_feature_lines(data, findings, standardize, read_all)]
        for line in (*lines, *_label_lines(data, model, findings)):
            console.print(escape_terminal(line))
    _check_splits(data, counted, findings)
    _check_files(data, findings, read_all)
    _print_findings(findings, console)
    if findings.problems:
        raise SystemExit(1)


class Findings:
    """What was noticed: ``problems`` stop a run, ``notes`` do not. What is a problem is not noted again."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []

    @contextmanager
    def watch(self, problem: bool = True) -> Iterator[None]:
        """Collect warnings as notes, and an error a user can cause as a problem (or as a note)."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                yield
            except GadError as error:
                advice = error.remedy.split("\n")[0].removesuffix(LAYOUT)
                self.add(self.problems if problem else self.notes, f"{error.message} To fix it: {advice}")
        for warning in caught:
            self.add(self.notes, str(warning.message))

    def add(self, texts: list[str], text: str) -> None:
        """Add what is not said yet."""
        if text not in (*self.problems, *self.notes):
            texts.append(text)


def _print_findings(findings: Findings, console: Console) -> None:
    """Print the notes, the problems, and whether a run can start."""
    for kind, texts, style in (("note", findings.notes, "yellow"), ("problem", findings.problems, "red")):
        for text in _shortened(texts):
            console.print(escape_terminal(f"{kind}: {text}"), style=style)
    if findings.problems:
        number = len(findings.problems)
        console.print(f"A run would fail: {number} problem{'s' * (number > 1)}.", style="bold red")
    else:
        console.print("A run can start.", style="bold green")


def _look(data: ActionDataModule, findings: Findings) -> dict[Split, Survey]:
    """Prepare the data as a run would, and count every split; without features, as far as the annotations go."""
    data.standardize = False  # statistics of many hours take minutes
    with findings.watch():
        _ = data.schema
    counted = _count(data, findings)
    if isinstance(data, BenchmarkVideos) and not counted:
        return _count(data.annotations_alone(), Findings())
    return counted


def _count(data: ActionDataModule, findings: Findings) -> dict[Split, Survey]:
    """Count every split that a run can use."""
    counted: dict[Split, Survey] = {}
    for split in SPLITS:
        with findings.watch():
            if split == "train" or data.videos(split):
                counted[split] = survey(data, data.dataset(split, training=split == "train"))
            else:
                findings.add(findings.notes, f"There is no {split} split.")
    return counted


def _check_splits(data: ActionDataModule, counted: dict[Split, Survey], findings: Findings) -> None:
    """Note a validation that says little, and a background that nothing has."""
    with findings.watch():
        groups = {group_of(record) for record in data.videos("val")}
        if len(groups) == 1:
            findings.add(
                findings.notes,
                f"Validation is one group of videos, {next(iter(groups))!r}: it alone chooses the best checkpoint. "
                + ("Raise data.val_fraction." if data.held_out else "List videos of more groups for the val split."),
            )
    background = data.tasks[0].labels.background
    if background is not None and counted and not any(found.background for found in counted.values()):
        findings.add(
            findings.notes,
            f"No frame is {data.tasks[0].labels.names[background]!r}: if there is none, set data.background to "
            "null, and it is no class.",
        )


def _check_files(data: ActionDataModule, findings: Findings, read_all: bool) -> None:
    """Open the feature files, and compare them with the annotations."""
    if isinstance(data, OwnVideos):
        with findings.watch():
            left = data.unlisted
            if left:
                texts = f"{len(left)} videos are in no CSV file and not used: {', '.join(left[:SHOWN])}"
                findings.add(findings.notes, texts + ", ..." * (len(left) > SHOWN))
    for split in SPLITS:
        with findings.watch(problem=False):
            if any(isinstance(record.frames, UnseenFrames) for record in data.videos(split)):
                findings.add(findings.problems, "data.features is null: there is nothing to train on.")
            for text in damaged(data, split, read_all):
                findings.add(findings.problems, text)
            for text in mismatches(data, split):
                findings.add(findings.notes, f"{split}: {text}")


def _split_table(data: ActionDataModule, counted: dict[Split, Survey]) -> Table:
    """One row a split: shares of its frames, or the number of questions where clips are asked about."""
    per_frame = all(task.per_frame for task in data.tasks)
    special = SHARES if per_frame else [escape_terminal(f"{task.name}?") for task in data.tasks]
    table = Table("split", *(Column(name, justify="right") for name in (*COUNTS, *special)), box=None)
    for split, found in counted.items():
        shares = [f"{share:.1%}" for share in (found.background, found.unscored, found.several)]
        numbers = [found.videos, f"{found.hours:.2f}", found.frames, found.segments.sum()]
        table.add_row(split, *map(str, (*numbers, *(shares if per_frame else found.questions.tolist()))))
    return table


def _class_lines(data: ActionDataModule, counted: dict[Split, Survey]) -> Iterator[str]:
    """How many classes are rare, by their training segments."""
    classes = data.tasks[0].labels
    others = [index for index in range(len(classes.names)) if index not in (classes.background, classes.ignore)]
    yield f"classes: {len(classes.names)} of which {len(others)} are actions" + (
        f", {len(data.goals)} goals" if data.goals else ""
    )
    if "train" not in counted:
        return
    segments = counted["train"].segments[others]
    bands = {
        band_title(name): int(((segments >= low) & (segments <= (sys.maxsize if high is None else high))).sum())
        for name, low, high in BANDS
    }
    yield "classes by training segments: " + ", ".join(f"{title}: {number}" for title, number in bands.items())
    order = np.argsort(-segments, kind="stable")[:SHOWN]
    yield "most frequent: " + ", ".join(f"{classes.names[others[i]]} ({segments[i]})" for i in order)


def _feature_lines(data: ActionDataModule, findings: Findings, standardize: bool, read_all: bool) -> Iterator[str]:
    """How the features were made."""
    with findings.watch():
        spec = data.schema.features
        size = f"{spec.tokens_per_frame} x {spec.width} numbers a frame"
        yield f"features: {spec.encoder}, {spec.fps:g} frames a second, {size}"
        if standardize:
            yield from _kind_lines(data, spec.width, read_all)


def _kind_lines(data: ActionDataModule, width: int, read_all: bool) -> Iterator[str]:
    """Which numbers of a frame are not standardized, and why; nothing if the training features cannot be read."""
    training = [record.frames for record in data.videos("train") if not isinstance(record.frames, UnseenFrames)]
    if not training:
        return
    try:
        found = kinds(training, None if read_all else 64)
    except GadError:
        return  # damaged features are listed below
    seen = "" if read_all else " in 64 frames of each video"
    said = (
        (found.constant, f"never vary{seen}: they are not scaled"),
        (found.two_valued, f"have two values{seen}: they become 0 and 1, and are not standardized"),
        (
            found.sparse,
            f"are mostly zero (or another value){seen}: it becomes 0, the others are only scaled",
        ),
    )
    for number, what in said:
        if number:
            yield f"features: {number} of {width} numbers {what}"


def _label_lines(data: ActionDataModule, model: dict[str, Any] | None, findings: Findings) -> Iterator[str]:
    """How many tokens the labels have."""
    given = (model or {}).get("init_args", {})
    if "backbone" not in given:
        yield "labels: no model in the config, so no tokens are counted"
        return
    with findings.watch():
        backbone, labels = _make_parts(given["backbone"], given.get("labels"))
        names = list(dict.fromkeys(name for task in data.tasks for name in task.labels.names))
        rows = labels.tokens(names, vocabulary_of(backbone, names))
        lengths = np.array([len(row) for row in rows])
        longest = names[int(lengths.argmax())]
        shared = len(rows) - sum(number == 1 for number in Counter(row[0] for row in rows).values())
        yield (
            f"labels: {lengths.min()} to {lengths.max()} tokens, median {np.median(lengths):g}, longest {longest!r}; "
            f"{shared} of {len(rows)} share their first token with another one"
        )


def _make_parts(backbone: Any, labels: Any) -> tuple[CausalLM, LabelTokens]:
    """Make the parts of a config that say how labels are written.

    Raises:
        SettingError: if they are no such parts.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--backbone", type=CausalLM)
    parser.add_argument("--labels", type=LabelTokens | None)
    try:
        made = parser.instantiate_classes(parser.parse_object({"backbone": backbone, "labels": labels}))
    except ArgumentError as error:
        raise SettingError(f"The model of the config cannot be made: {error}", "correct model.backbone") from error
    return made.backbone, made.labels or WordLabels()


def _shortened(texts: Sequence[str]) -> Iterator[str]:
    """The first of many findings, and how many more there are."""
    yield from texts[:SHOWN]
    if len(texts) > SHOWN:
        yield f"... and {len(texts) - SHOWN} more"
