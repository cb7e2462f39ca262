"""Rank what GAD could write beside the label, from one run of Disc, without training GAD."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from rich.console import Console
from rich.table import Table

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.choosing_context.ranking import rank_contexts
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.base import Split
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.escape import escape_terminal, print_safely
from gad_lightning.parts import ALLOWED_PACKAGES, path_of
from gad_lightning.prompts.contexts.auto import usual_contexts
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.results.context_table import ContextTable, write_contexts
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.tools.chosen import task_index
from gad_lightning.tools.run_data import data_as_trained

WIDTH = 120
"""Columns that the table needs, also where nobody is looking."""
WIDEST = 40
"""Columns of a name; longer ones take several lines."""


def main(
    run: Path,
    contexts: list[AuxiliaryContext] | None = None,
    split: Split = "val",
    task: str | None = None,
    checkpoint: Path | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Say of each context what it could teach GAD, and print the lines of the config to take.

    Nothing is trained but linear probes on the slot states of a discriminative run. A context scores by the smaller of
    two kinds of usable information, in nats: what it tells of the label that the slot does not, and what the slot tells
    of it. The table is kept as contexts.json in the folder of the run, and the report shows it.

    Args:
        run: folder that ``fit`` left, with its config.yaml.
        contexts: further ones, such as [my_package.MyContext]; previous and next actions, goal and pairs are there.
        split: whose videos are read; the classifier should not have been trained on them.
        task: name of what is asked; the first by default.
        checkpoint: of the run; the one that it is judged by if None.
        allowed: further packages whose classes config and checkpoint may name.

    Raises:
        MissingDataError: if the run has no checkpoint, or its data are not there.
        SettingError: if it is no run of a discriminative classifier, or there is no such task.
    """
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    source = checkpoint or chosen_checkpoint(run)
    if source is None:
        raise MissingDataError(f"{run} has no checkpoint.", "give the folder of a run that was trained")
    data = data_as_trained(source, run, packages)
    classifier = Classifier.load_from_checkpoint(source, "cuda" if torch.cuda.is_available() else "cpu", packages)
    if not isinstance(classifier, DiscriminativeClassifier):
        raise SettingError(
            f"{run} is a run of {type(classifier).__name__}, which reads no class off a slot.",
            "give a run of DiscriminativeClassifier",
        )
    asked = task_index(classifier.schema, task)
    every = [*usual_contexts(3, 2, bool(classifier.schema.goals)), *(contexts or [])]
    found = rank_contexts(classifier, data, every, split, asked)
    Console(width=WIDTH).print(_drawn(found.table(), found.moments))
    if classifier.writing is not None:
        print_safely("This run wrote an answer while it trained, so its slots know of it: a run of Disc says more.")
    print_safely(f"The config of GAD:\n{config_lines(found.best)}")
    print_safely(f"{write_contexts(run, found.table())} keeps the table")


def config_lines(context: AuxiliaryContext) -> str:
    """The lines of a config that choose a context.

    Example:
        >>> from gad_lightning import PreviousActions
        >>> print(config_lines(PreviousActions(2)))
        model:
          class_path: gad_lightning.GADClassifier
          init_args:
            context:
              class_path: gad_lightning.PreviousActions
              init_args:
                num_actions: 2
                with_label: true
    """
    model = {"class_path": path_of(GADClassifier), "init_args": {"context": context.spec()}}
    lines: str = yaml.safe_dump({"model": model}, sort_keys=False)
    return lines.rstrip()


def _drawn(found: ContextTable, moments: int) -> Table:
    """A row a context, the label itself below."""
    title = f"Usable information in nats, 95 % intervals: {found.videos} videos ({found.split}), {moments:,} moments"
    made = Table(title=title)
    longest = max(len(row.name) for row in found.rows)
    made.add_column("context", min_width=min(longest, WIDEST), overflow="fold")
    for title in ("score", "tells of the label", "shown by the slot"):
        made.add_column(title, justify="right")
    for row in found.rows:
        if row is found.rows[-1]:
            made.add_section()
        made.add_row(
            escape_terminal(row.name), *(f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in row[1:])
        )
    return made
