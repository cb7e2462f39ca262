"""Render kitchen videos, train and test the three classifiers on them, and draw what they predict."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
import statistics
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from lightning import Trainer, seed_everything
from rich.console import Console
from rich.table import Table

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.predictions import PredictionWriter
from gad_lightning.classifiers.schedule import PaperAdamW
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.toy import KitchenVideos
from gad_lightning.pictures.timelines import draw_timelines, save_picture
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.results.predictions import read_predictions
from gad_lightning.results.standard import STANDARD, names_of
from gad_lightning.streaming.detector import OnlineDetector

Row = dict[str, float]


class Budget(NamedTuple):
    """What every classifier gets."""

    num_videos: int
    epochs: int
    seconds: int  # of training, at most: a slow machine learns less
    hidden_size: int
    live_frames: int  # pushed to the live detector


BUDGETS = {
    "full": Budget(num_videos=120, epochs=16, seconds=75, hidden_size=96, live_frames=150),
    "small": Budget(num_videos=8, epochs=3, seconds=15, hidden_size=32, live_frames=20),
}
NAMES = ("generative", "discriminative", "gad")
TIMES = {
    "frames_per_second": ("frames/s", "{:,.0f}"),
    "milliseconds_per_frame_live": ("live ms", "{:.1f}"),
    "train_seconds": ("train s", "{:.0f}"),
}
"""Heading and format of each."""
CONSOLE = Console()
WARM_UP = 10  # live frames that are not timed
PANELS = 2  # videos in the picture
MEMORY = 256
"""Frames that a label can look back on, 64 s, and frames read in one pass: a video whole, from the recipe's card on."""


def main(output: Path = Path("runs/demo"), size: Literal["full", "small"] = "full", seed: int = 0) -> None:
    """Run the three classifiers on rendered kitchen videos, one budget each; two to three minutes on two cores.

    Leaves ``results.json`` and ``results.md``, ``timelines.png``, and per classifier a checkpoint and its predictions.
    Files that are finished stay whole if it is stopped, and the videos are not rendered again.

    Args:
        output: folder for everything, the videos included.
        size: small takes seconds and learns little.
        seed: of videos, weights and order.
    """
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.WARNING)  # each of its runs would say what processors there are
    try:
        _run(make_folder(output), BUDGETS[size], seed)
    finally:
        log.setLevel(level)


def _run(output: Path, budget: Budget, seed: int) -> None:
    """Train and measure the three, draw and print."""
    (output / "results.json").unlink(missing_ok=True)
    data = _make_data(output / "kitchen", budget, seed)
    CONSOLE.rule("1 of 4: kitchen videos")
    CONSOLE.print(f"{len(data.videos('train'))} videos to train on, {len(data.videos('test'))} to test on")
    results: dict[str, Row] = {}
    for number, name in enumerate(NAMES, 2):
        CONSOLE.rule(f"{number} of 4: {name}")
        seed_everything(seed, verbose=False)
        results[name] = _measure(_make_classifier(name, data, budget, seed), data, budget, make_folder(output / name))
        with atomic_write(output / "results.json") as part:
            part.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    with atomic_write(output / "results.md") as part:
        part.write_text(markdown_of(results) + "\n", encoding="utf-8")
    _draw(output, data)
    CONSOLE.print(_table_of(results))
    CONSOLE.print(f"Predictions, checkpoints and results.json are in {output}, the timelines in {output}/timelines.png")
    CONSOLE.print("See it live in a browser, with a camera or a video file:")
    CONSOLE.print(serve_command(output / "gad" / "classifier.ckpt"), soft_wrap=True, markup=False, highlight=False)
    if find_spec("uvicorn") is None:
        CONSOLE.print("It needs one more step first: pip install 'gad-lightning[serve]'", markup=False, highlight=False)


def serve_command(checkpoint: Path) -> str:
    """The command that opens the page of a checkpoint, as it is typed here."""
    found, python = shutil.which("gad-lightning"), Path(sys.executable)
    own = found is not None and Path(found).parent == python.parent  # not that of another environment
    program = ["gad-lightning"] if own else [str(python), "-m", "gad_lightning"]
    return shlex.join([*program, "serve", "--ckpt_path", str(checkpoint), "--open", "true"])


def _make_data(folder: Path, budget: Budget, seed: int) -> KitchenVideos:
    """The videos, each a sample; none is left out for validation, as nothing is chosen by it here."""
    return KitchenVideos(
        folder,
        budget.num_videos,
        seed,
        mode="one_pass",
        short_memory=MEMORY,
        chunk=MEMORY,
        batch_size=2,
        eval_batch_size=16,
        val_fraction=0,
        seed=seed,
    )


def _make_classifier(name: str, data: ActionDataModule, budget: Budget, seed: int) -> Classifier:
    """One of the three, equal but for what makes it what it is.

    Without an opener the label is read off, or written after, the last visual token: in training as short as this, that
    is ahead of a learned [CLS], and costs less.
    """
    shared: dict[str, Any] = {
        "schema": data.schema,
        "prompt": Prompt(opener=""),
        "backbone": TinyBackbone(hidden_size=budget.hidden_size, seed=seed),
        "optimizer": _optimizer,
    }
    if name == "generative":
        return GenerativeClassifier(answer_fraction=0.25, **shared)
    if name == "discriminative":
        return DiscriminativeClassifier(**shared)
    return GADClassifier(context=PreviousActions(), answer_fraction=0.125, **shared)


def _optimizer(parameters: Any) -> torch.optim.Optimizer:
    """AdamW of the demo."""
    return PaperAdamW(parameters, lr=3e-3, weight_decay=0.3)


def _measure(classifier: Classifier, data: ActionDataModule, budget: Budget, folder: Path) -> Row:
    """Train, test, predict and go live with one classifier; its checkpoint and predictions go to ``folder``."""
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=budget.epochs,
        max_time={"seconds": budget.seconds},
        gradient_clip_val=1.0,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[PredictionWriter(folder)],
    )
    start = time.perf_counter()
    trainer.fit(classifier, data)
    trained = time.perf_counter()
    if trainer.global_step < trainer.estimated_stepping_batches:
        CONSOLE.print(f"stopped after {budget.seconds} s and {trainer.current_epoch} of {budget.epochs} epochs")
    trainer.save_checkpoint(folder / "classifier.ckpt")
    metrics = trainer.test(classifier, data, verbose=False)[0]
    tested = time.perf_counter()
    trainer.predict(classifier, data, return_predictions=False)
    num_frames = sum(record.frames.num_frames for record in data.videos("test"))
    return {
        **{name: round(metrics[f"test/{name}"], 4) for name in names_of(data.schema)},
        "frames_per_second": round(num_frames / (time.perf_counter() - tested), 1),
        "milliseconds_per_frame_live": round(_live_milliseconds(classifier, data, budget.live_frames), 3),
        "train_seconds": round(trained - start, 1),
    }


def _live_milliseconds(classifier: Classifier, data: ActionDataModule, num_frames: int) -> float:
    """Median time from a frame to its label, one stream, once the window is warm."""
    source = data.videos("test")[0].frames
    frames = torch.from_numpy(source.rows(np.arange(num_frames + WARM_UP) % source.num_frames))
    detector, taken = OnlineDetector(classifier), []
    for frame in frames:
        start = time.perf_counter()
        detector.push(frame)
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken[WARM_UP:])


def _draw(output: Path, data: ActionDataModule) -> None:
    """Draw the truth and what the classifiers said of the first test videos."""
    labels, names = data.schema.tasks[0].labels, [record.name for record in data.videos("test")[:PANELS]]
    predicted = {name: read_predictions(output / name)[1][0] for name in NAMES}
    videos = {}
    for video in names:
        rows = {name: found.video == found.videos.index(video) for name, found in predicted.items()}
        videos[video] = {
            "truth": predicted[NAMES[0]].truth[rows[NAMES[0]]].tolist(),
            **{name: found.label[rows[name]].tolist() for name, found in predicted.items()},
        }
    save_picture(draw_timelines(videos, labels, data.schema.features.fps), output / "timelines.png")


def _table_of(results: dict[str, Row]) -> Table:
    """The results as a table, a row per classifier."""
    table = Table(title="Test videos of cooks that were never seen in training")
    table.add_column("classifier", no_wrap=True)
    for title in _titles():
        table.add_column(title, justify="right")
    for cells in _cells_of(results):
        table.add_row(*cells)
    return table


def markdown_of(results: dict[str, Row]) -> str:
    """The same table for a document."""
    titles = _titles()
    head = [f"| classifier | {' | '.join(titles)} |", f"| --- |{' ---: |' * len(titles)}"]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in _cells_of(results))])


def _titles() -> list[str]:
    """Headings of the standard metrics, then of the times."""
    return [*(metric.heading for metric in STANDARD), *(title for title, _ in TIMES.values())]


def _cells_of(results: dict[str, Row]) -> list[list[str]]:
    """Text of the cells."""
    formats = {metric.name: f"{{:.{metric.digits}f}}" for metric in STANDARD}
    formats |= {name: how for name, (_, how) in TIMES.items()}
    return [[name, *(how.format(row[column]) for column, how in formats.items())] for name, row in results.items()]
