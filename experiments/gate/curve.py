"""What a gate costs and saves on test videos: curves of segment-F1, accuracy and delay over frames read whole.

    python experiments/gate/curve.py RUN --layers 2 --longest_wait 5

The gate is fitted on the training videos, its threshold chosen on the validation videos; test videos are read once
and only measured. Other thresholds, every n-th frame and a rule on the change of features stand beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from gad_lightning.classifiers.base import Classifier
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.results.gate_table import GateRow
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.streaming.gates.base import Gate
from gad_lightning.streaming.gates.event_gate import EventGate
from gad_lightning.streaming.gates.every_nth import EveryNth
from gad_lightning.streaming.gates.feature_change import FeatureChange
from gad_lightning.streaming.gates.fitting import THRESHOLDS, fit_gate
from gad_lightning.streaming.gates.simulating import simulate, worth
from gad_lightning.streaming.gates.watched import Watched, watch_split
from gad_lightning.tools.run_data import data_of


def rows_of(file: Path, watched: Watched, longest_wait: float) -> list[GateRow]:
    """The fitted gate first, then all others."""
    gates: dict[str, Gate] = {"EventGate": EventGate(file)}
    gates |= {f"EventGate {threshold:g}": EventGate(file, threshold) for threshold in THRESHOLDS}
    gates |= {f"EveryNth {number}": EveryNth(number, 3600.0) for number in (1, 2, 3, 4, 6, 8, 12)}
    changes = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
    gates |= {f"FeatureChange {change:g}": FeatureChange(change, longest_wait) for change in changes}
    return [worth(name, watched, simulate(gate, watched)) for name, gate in gates.items()]


def main() -> None:
    """Fit, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--longest_wait", type=float, default=5.0)
    parser.add_argument("--loss", type=float, default=0.005)
    parser.add_argument("--delay", type=float, default=1.0)
    parser.add_argument("--output", type=Path, help="JSON file")
    given = parser.parse_args()
    checkpoint = chosen_checkpoint(given.run)
    if checkpoint is None:
        raise SystemExit(f"{given.run} has no checkpoint")
    data = data_of(given.run, ALLOWED_PACKAGES, checkpoint)
    classifier = Classifier.load_from_checkpoint(checkpoint, "cpu", ALLOWED_PACKAGES)
    classifier.backbone.merge()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gate.safetensors"
        settings = (given.layers, given.longest_wait, given.loss, given.delay)
        fitted = fit_gate(classifier, data, file, *settings)
        rows = rows_of(file, watch_split(classifier, data, "test", given.layers), given.longest_wait)
    about = {
        "layers": given.layers, "depth": fitted.table.depth, "longest_wait": given.longest_wait, "loss": given.loss,
        "delay": given.delay, "threshold": fitted.gate.threshold, "fps": classifier.schema.features.fps,
    }  # fmt: skip
    table = Table(title=f"{given.run}: test, threshold {fitted.gate.threshold:g} of validation")
    for column in ("gate", *GateRow._fields[1:]):
        table.add_column(column, justify="left" if column == "gate" else "right")
    for row in rows:
        table.add_row(row.name, *(f"{value:.4f}" for value in row[1:]))
    Console(width=110).print(table)
    if given.output is not None:
        columns = {"validation": fitted.table.rows, "test": rows}
        told = {name: [row._asdict() for row in found] for name, found in columns.items()}
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps({**about, **told}, indent=1) + "\n")


if __name__ == "__main__":
    main()
