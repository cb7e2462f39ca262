"""Fit a gate for live streams: most frames are then read by a few layers only."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from gad_lightning.classifiers.base import Classifier
from gad_lightning.escape import escape_terminal, print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.results.gate_table import GateTable, write_gates
from gad_lightning.streaming.gates.fitting import fit_gate
from gad_lightning.tools.chosen import task_index
from gad_lightning.tools.run_data import data_as_trained

WIDTH = 100
"""Columns that the table needs, also where nobody is looking."""
FEW = 30
"""Changes of the label below which a table is said to show little."""
SHOWN = ("0.05", "0.2", "0.5", "0.8", "0.95", "0.99")
"""Thresholds whose rows are printed; gate.json and the report have all."""


def main(
    *,
    ckpt_path: Path,
    run: Path | None = None,
    layers: int = 2,
    longest_wait: float = 5.0,
    loss: float = 0.005,
    delay: float = 1.0,
    task: str | None = None,
    output: Path | None = None,
    seed: int = 0,
    allowed: list[str] | None = None,
) -> None:
    """Fit an EventGate to a classifier, print what it is worth on validation videos, and save it.

    Live, every frame is then read by the lowest layers, and by all where its label may change. The table is kept as
    gate.json beside the gate, and the report of a run shows it.

    Args:
        ckpt_path: checkpoint of a classifier that was trained in one_pass mode.
        run: folder or config.yaml of the run whose data is used, also as --config; that of the checkpoint if None.
        layers: lowest layers that every frame is read by; 2 to 4 of many.
        longest_wait: seconds after which a label is found anew at the latest.
        loss: of segment-F1 and of accuracy that the gate may cost; 0.005 is half a point.
        delay: mean frames by which a label that begins may be shown later.
        task: name of what is asked; the first by default.
        output: gate to write; gate.safetensors in the folder of the run, or beside the checkpoint, if None.
        seed: of the gate's training.
        allowed: further packages whose classes config and checkpoint may name.

    Raises:
        SettingError: if a setting cannot work, or every threshold costs more than is stated.
        DataError: if there is no training or validation split.
    """
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    data = data_as_trained(ckpt_path, run, packages)
    classifier = Classifier.load_from_checkpoint(ckpt_path, "cuda" if torch.cuda.is_available() else "cpu", packages)
    if classifier.backbone.mergeable:
        classifier.backbone.merge()
    file = output or _folder_of(ckpt_path) / "gate.safetensors"
    asked = task_index(classifier.schema, task)
    found = fit_gate(classifier, data, file, layers, longest_wait, loss, delay, asked, seed)
    Console(width=WIDTH).print(_drawn(found.table))
    write_gates(file.parent, found.table)
    print_safely(_told(found.table, file, ckpt_path))


def _told(found: GateTable, file: Path, checkpoint: Path) -> str:
    """What was chosen, what it does not show, and how to use it."""
    chosen, alone = found.rows[0], next(row for row in found.rows if row.name == "longest_wait alone")
    lines = []
    if found.changes < FEW:
        lines.append(
            f"Beware: without a gate the label changes {found.changes} times in these videos, which is too little to "
            "tell gates apart."
        )
    if chosen.saved >= alone.saved:
        lines.append(f"Beware: this gate opens by its longest_wait of {found.longest_wait:g} s alone.")
    named, source = f"gad_lightning.EventGate --gate.file {file.resolve()}", checkpoint.resolve()
    return "\n".join(
        [
            *lines,
            f"{file} is the gate: every frame is read by {found.layers} of {found.depth} layers, one in "
            f"{chosen.saved:.1f} by all at once.",
            f"To use it: gad-lightning watch SOURCE --checkpoint {source} --gate {named}",
            f"or: gad-lightning serve --ckpt_path {source} --gate {named}",
        ]
    )


def _folder_of(checkpoint: Path) -> Path:
    """Folder of a checkpoint's run, which the report reads; else of the checkpoint."""
    folder = checkpoint.resolve().parent
    return folder.parent if (folder.parent / "config.yaml").is_file() else folder


def _drawn(found: GateTable) -> Table:
    """A row a gate, the chosen one first; of the other thresholds a few."""
    made = Table(title=f"gates on {found.videos} validation videos, in which the label changes {found.changes} times")
    for column in ("gate", "one whole in", "segment-F1", "accuracy", "same label", "delay (frames)"):
        made.add_column(column, justify="left" if column == "gate" else "right")
    for place, row in enumerate(found.rows):
        if place and row.name.startswith("EventGate") and row.name.split()[1] not in SHOWN:
            continue
        name = escape_terminal(row.name) + (" (chosen)" if place == 0 else "")
        figures = (f"{row.saved:.2f}", f"{row.segment_f1:.4f}", f"{row.accuracy:.4f}", f"{row.same:.4f}")
        made.add_row(name, *figures, f"{row.delay:.2f}")
    return made
