"""Weights in 8 and 4 bits: frames a second of one live stream, and how often labels stay the same.

    python experiments/bench/light.py speed --shape 1b
    python experiments/bench/light.py labels runs/ikea_asm/OwnVideos/DiscriminativeClassifier/version_0

``speed`` measures in turns within one process, in seconds of its processor time on one thread. ``labels`` pushes test
videos of a trained run through live streams, with exact and with light weights, and counts frames whose label is the
same. Both print a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from measure import surroundings  # isort: skip  # sets how threads wait, before torch is there
import torch
from shapes import SHAPES, class_names, make
from torch import Tensor, nn

from gad_lightning.backbones.weights.light import LightLinear, Weights, format_of
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.schema import FeatureSpec, Windows
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.run_data import data_of

WAYS: tuple[Weights | None, ...] = (None, "int8", "int4")


def speed(shape: str, layers: int | None, turns: int, frames: int) -> dict[str, object]:
    """Frames a second of processor time of one stream, by turns; windows of 32 frames, chunks of 128.

    A frame is one token. Its time grows with the layers, of which a few tell as much in less memory.
    """
    if layers is not None:
        SHAPES[f"{shape}, {layers} layers"] = {**SHAPES[shape], "num_hidden_layers": layers, "vocab_size": 8_000}
        shape = f"{shape}, {layers} layers"
    windows, features = Windows("one_pass", short=32, chunk=128), FeatureSpec("random", 4.0, 768)
    classifier = make(DiscriminativeClassifier, shape, windows, features, class_names(20), "cpu", "float32")
    detector = OnlineDetector(classifier, merge=True)
    decoder = classifier.backbone.decoder
    assert decoder is not None
    linear = {name: layer for name, layer in decoder.named_modules() if type(layer) is nn.Linear}
    held: dict[Weights | None, dict[str, nn.Module]] = {None: dict(linear)}
    for way in ("int8", "int4"):
        held[way] = {name: LightLinear(layer, format_of(name, way)) for name, layer in linear.items()}
    times: dict[Weights | None, list[float]] = {way: [] for way in WAYS}
    frame = torch.randn(768)
    for _ in range(turns):
        for way in WAYS:
            for name, layer in held[way].items():
                decoder.set_submodule(name, layer)
            for number in range(frames + 1):
                start = time.process_time()
                detector.push(frame)
                times[way] += [time.process_time() - start] if number else []  # the first one warms up
    rates = {way: 1 / statistics.median(times[way]) for way in WAYS}
    return {
        "shape": shape,
        "frames a second": {str(way or "float32"): round(rate, 3) for way, rate in rates.items()},
        "times float32": {str(way): round(rates[way] / rates[None], 2) for way in WAYS if way},
        **surroundings(),
    }


def labels(run: Path, most: int) -> dict[str, object]:
    """Share of the frames of test videos whose live label stays, and the accuracy of each way."""
    checkpoint = next((run / "checkpoints").glob("best*.ckpt"))
    seen = {way: _labels_of(Classifier.load_from_checkpoint(checkpoint, weights=way), run, most) for way in WAYS}
    exact, truth = seen[None]
    known = truth >= 0
    return {
        "run": run.parent.name if run.name.startswith("version") else run.name,
        "frames": len(exact),
        "same": {str(way): round(float((seen[way][0] == exact).float().mean()), 4) for way in WAYS if way},
        "accuracy": {
            str(way or "float32"): round(float((seen[way][0] == truth)[known].float().mean()), 4) for way in WAYS
        },
    }


def _labels_of(classifier: Classifier, run: Path, most: int) -> tuple[Tensor, Tensor]:
    """Live labels of the first ``most`` frames of the test videos, and the truth."""
    data = data_of(run, ALLOWED_PACKAGES)
    data.setup("test")
    detector, found, truth, video = OnlineDetector(classifier, merge=True), [], [], -1
    for batch in data.test_dataloader():
        order = batch.frame.argsort(stable=True)
        for query in order[batch.video[order].argsort(stable=True)].tolist():
            if len(found) == most:
                return torch.cat(found), torch.stack(truth)
            if int(batch.video[query]) != video:
                video = int(batch.video[query])
                detector.restart()
            found.append(detector.push(batch.frames[batch.sample[query], batch.anchor[query]]).label)
            truth.append(batch.label[query])
    return torch.cat(found), torch.stack(truth)


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_speed, of_labels = commands.add_parser("speed"), commands.add_parser("labels")
    of_speed.add_argument("--shape", default="1b")
    of_speed.add_argument("--layers", type=int, help="instead of all")
    of_speed.add_argument("--turns", type=int, default=5)
    of_speed.add_argument("--frames", type=int, default=4)
    of_labels.add_argument("run", type=Path)
    of_labels.add_argument("--most", type=int, default=10**9, help="frames")
    given = parser.parse_args()
    if given.command == "speed":
        print(json.dumps(speed(given.shape, given.layers, given.turns, given.frames)))
    else:
        print(json.dumps(labels(given.run, given.most)))


if __name__ == "__main__":
    main()
