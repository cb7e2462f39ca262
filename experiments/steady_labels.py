"""What steady labels are worth on test videos: trained runs, calibrated on their validation videos.

    python experiments/steady_labels.py runs/ikea_asm/OwnVideos/DiscriminativeClassifier/version_0 ...

Prints a line of JSON a run and way of choosing labels: what was chosen on validation, and segment-F1 and frame accuracy
on the test videos, of the likeliest class and of the steady label.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from gad_lightning import BestPath, Classifier, SteadyLabels, SwitchCost
from gad_lightning.classifiers.calibration import observed_in, steadiness_of
from gad_lightning.data.base import ActionDataModule
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.tools.run_data import data_of
from gad_lightning.training.checkpoint_files import read_checkpoint


def measure(classifier: Classifier, data: ActionDataModule, way: SteadyLabels) -> dict[str, object]:
    """Fit on validation, score on test."""
    made = classifier.calibrate(data, way)
    assert made.steady is not None, "steady labels were asked for"
    with torch.inference_mode():
        device = torch.device(classifier.device)
        seen = observed_in(data, classifier.score_in_evaluation, device, classifier.schema, 0, "test")
    settings = {name: value for name, value in made.steady.settings().items() if name != "counts"}
    return {"way": type(way).__name__, **settings, **steadiness_of(made, seen)._asdict()}


def main() -> None:
    """Print a line a run and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    for run in parser.parse_args().runs:
        checkpoint = next((run / "checkpoints").glob("best*.ckpt"))
        data = data_of(run, ALLOWED_PACKAGES)
        data.load_state_dict(read_checkpoint(checkpoint)[type(data).__qualname__])
        for way in (SwitchCost(), BestPath()):
            classifier = Classifier.load_from_checkpoint(checkpoint)
            print(json.dumps({"run": str(run), **measure(classifier, data, way)}), flush=True)


if __name__ == "__main__":
    main()
