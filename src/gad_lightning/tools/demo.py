"""Render kitchen videos, train and test the three classifiers on them, and draw what they say."""

from __future__ import annotations

import json
import logging
import statistics
import time
from collections.abc import Sequence
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
    "full": Budget(num_videos=60, epochs=20, seconds=75, hidden_size=96, live_frames=150),
    "small": Budget(num_videos=8, epochs=3, seconds=15, hidden_size=32, live_frames=20),
}
NAMES = ("generative", "discriminative", "gad")
TITLES = ("seg. F1", "point F1", "Top-1", "frames/s", "live ms", "train s")
CONSOLE = Console()
WARM_UP = 10  # live frames that are not timed
PANELS = 2  # videos in the picture


def main(output: Path = Path("runs/demo"), size: Literal["full", "small"] = "full", seed: int = 0) -> None:
    """Run the three classifiers on rendered kitchen videos, one budget each; about 4 minutes on two cores.

    Leaves ``results.json`` and ``results.md``, ``timelines.png``, and per classifier a checkpoint and its predictions.
    Files that are finished stay whole if it is stopped, and the videos are not rendered again.

    Args:
        output: folder for everything, the videos included.
        size: small takes seconds and learns little.
        seed: of videos, weights and order.
    """
    budget = BUDGETS[size]
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    make_folder(output)
    (output / "results.json").unlink(missing_ok=True)
    data = KitchenVideos(
        output / "kitchen", budget.num_videos, seed, mode="one_pass", batch_size=4, eval_batch_size=16, seed=seed
    )
    CONSOLE.rule("1 of 4: kitchen videos")
    counts = [len(data.videos(split)) for split in ("train", "val", "test")]
    CONSOLE.print(f"{counts[0]} videos to train on, {counts[1]} left out for validation, {counts[2]} to test on")
    results: dict[str, Row] = {}
    for number, name in enumerate(NAMES, 2):
        CONSOLE.rule(f"{number} of 4: {name}")
        seed_everything(seed, verbose=False)
        results[name] = _measure(_make_classifier(name, data, budget, seed), data, budget, make_folder(output / name))
        with atomic_write(output / "results.json") as part:
            part.write_text(json.dumps(results, indent=2) + "\n")
    with atomic_write(output / "results.md") as part:
        part.write_text(markdown_of(results) + "\n")
    _draw(output, data)
    CONSOLE.print(_table_of(results))
    CONSOLE.print(f"Predictions, checkpoints and results.json are in {output}, the timelines in {output}/timelines.png")


def _make_classifier(name: str, data: ActionDataModule, budget: Budget, seed: int) -> Classifier:
    """One of the three, equal but for what makes it what it is."""
    shared: dict[str, Any] = {
        "schema": data.schema,
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
        **{name: round(metrics[f"test/{name}"], 4) for name in ("segment_f1", "point_f1", "top1")},
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
    index = {name: number for number, name in enumerate(labels.names)}
    said = {name: json.loads((output / name / "frames.json").read_text()) for name in NAMES}

    def track(rows: Sequence[dict[str, str]], video: str, column: str) -> list[int]:
        return [index[row[column]] for row in rows if row["video"] == video]

    videos = {
        video: {
            "truth": track(said[NAMES[0]], video, "truth"),
            **{name: track(rows, video, "label") for name, rows in said.items()},
        }
        for video in names
    }
    save_picture(draw_timelines(videos, labels, data.schema.features.fps), output / "timelines.png")


def _table_of(results: dict[str, Row]) -> Table:
    """The results as a table, a row per classifier."""
    table = Table(title="Test videos of cooks that were never seen in training")
    table.add_column("classifier", no_wrap=True)
    for title in TITLES:
        table.add_column(title, justify="right")
    for cells in _cells_of(results):
        table.add_row(*cells)
    return table


def markdown_of(results: dict[str, Row]) -> str:
    """The same table for a document."""
    head = [f"| classifier | {' | '.join(TITLES)} |", f"| --- |{' ---: |' * len(TITLES)}"]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in _cells_of(results))])


def _cells_of(results: dict[str, Row]) -> list[list[str]]:
    """Text of the cells."""
    formats = ("{:.3f}", "{:.3f}", "{:.3f}", "{:,.0f}", "{:.1f}", "{:.0f}")
    texts = {name: zip(formats, row.values(), strict=True) for name, row in results.items()}
    return [[name, *(text.format(value) for text, value in row)] for name, row in texts.items()]
