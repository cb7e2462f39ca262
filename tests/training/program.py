"""A small training run in one or several real processes, and all that can be told of how it ended."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.training.position import batches_done
from gad_lightning.types import Batch
from tests.training.processes import start

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.2}
NO_DROPOUT: dict[str, Any] = {**LORA, "lora_dropout": 0.0}  # which differs between numbers of processes


class Run(NamedTuple):
    """What a run is told; everything else is the same in all runs."""

    root: Path
    resume: Path | str | None = None
    kind: type[GADClassifier] | type[GenerativeClassifier] = GADClassifier
    processes: int = 1
    sharded: bool = False
    workers: int = 0
    step_samples: int = 4  # of all processes together
    accumulate: int = 1
    epochs: int = 2
    steps: int = -1
    validate: float | None = 1.0  # share of an epoch between validations; None for no validation
    save_at: tuple[tuple[str, int], ...] = ()  # (hook, batches done in all epochs) after which a checkpoint is written
    kill_at: int = -1  # batches done after which every process kills itself
    signal_at: tuple[str, int] | None = None  # hook and batches done after which one process gets a signal
    signal_rank: int = 0
    signal_number: int = signal.SIGUSR1
    lora: dict[str, Any] | None = LORA
    causal_lm: dict[str, Any] | None = None  # arguments of a CausalLM in place of the tiny backbone
    schedule: Literal["cosine", "constant"] = "cosine"  # with a warm-up or without
    data: tuple[tuple[str, Any], ...] = ()  # further settings
    trainer: tuple[tuple[str, Any], ...] = ()  # further settings
    callbacks: tuple[Callback, ...] = ()

    def checkpoint(self, hook: str, batches: int) -> Path:
        """Where ``save_at`` writes."""
        return self.root / f"{hook}-{batches}.ckpt"


class Ending(NamedTuple):
    """How a run ended: all of it must be the same to the last bit."""

    losses: dict[int, float]  # logged at each step
    validations: dict[int, dict[str, float]]  # logged at each step
    samples: list[list[tuple[int, int]]]  # keys of the queries of each step, of all processes
    weights: str
    optimizer: str
    schedule: str
    random: str
    steps: int


class Book(DummyLogger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[int, float] = {}
        self.validations: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Sort it by kind and step."""
        assert step is not None
        values = {name: value for name, value in metrics.items() if name.startswith("val/")}
        if values:
            self.validations[step] = values
        if "train/loss" in metrics:
            self.losses[step] = metrics["train/loss"]


class Observer(Callback):
    """Notes the samples of each batch, saves after the hooks it is told, and kills its process."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.samples: list[list[tuple[int, int]]] = []

    def meet(self, trainer: Trainer, hook: str) -> None:
        """Write a checkpoint, or send this process a signal, if that was asked for here."""
        done = batches_done(trainer)
        if (hook, done) in self.run.save_at:
            trainer.save_checkpoint(self.run.checkpoint(hook, done))
        if (hook, done) == self.run.signal_at and trainer.global_rank == self.run.signal_rank:
            os.kill(os.getpid(), self.run.signal_number)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Note the samples."""
        self.samples.append(list(zip(batch.video.tolist(), batch.query_index.tolist(), strict=True)))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Be met, or die at once and without a word."""
        self.meet(trainer, "batch_end")
        if batches_done(trainer) == self.run.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Be met."""
        self.meet(trainer, "validation_end")

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Be met within a validation."""
        if batch_idx == 0:
            self.meet(trainer, "validating")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Be met."""
        self.meet(trainer, "epoch_end")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Be met."""
        self.meet(trainer, "train_end")


def digest(value: Any) -> str:
    """Digest of numbers, tensors and containers of them, exact to the bit."""
    summary = hashlib.sha256()

    def add(item: Any) -> None:
        if isinstance(item, DTensor):
            add(item.full_tensor())
        elif isinstance(item, Tensor):
            summary.update(f"{item.dtype} {tuple(item.shape)}".encode())
            summary.update(item.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(item, np.ndarray):
            summary.update(item.tobytes())
        elif isinstance(item, dict):
            for key in sorted(item, key=str):
                summary.update(str(key).encode())
                add(item[key])
        elif isinstance(item, list | tuple):
            for part in item:
                add(part)
        else:
            summary.update(repr(item).encode())

    add(value)
    return summary.hexdigest()[:16]


def strategy_of(run: Run) -> str | ModelParallelStrategy:
    """Lightning's strategy."""
    if run.sharded:
        return ModelParallelStrategy(run.processes, 1, save_distributed_checkpoint=False)
    return "auto" if run.processes == 1 else "ddp"


def make_classifier(data: ToyActions, run: Run) -> Classifier:
    """A small GAD or generative classifier, of the same weights in every process."""
    torch.manual_seed(1)
    lora: dict[str, Any] = {"lora": run.lora, "lora_on_head": run.lora is not None}
    backbone: CausalLM = TinyBackbone(hidden_size=16, num_layers=2, num_heads=2, **lora)
    if run.causal_lm is not None:
        backbone = CausalLM(**run.causal_lm, **lora)
    warmup = 0.1 if run.schedule == "cosine" else 0.0
    return run.kind(schema=data.schema, backbone=backbone, answer_fraction=0.5, schedule=run.schedule, warmup=warmup)


def train(run: Run, book: Book | None = None) -> Ending:
    """Train in this process, and log to ``book``."""
    torch.set_num_threads(1)
    batch_size = run.step_samples // run.processes
    settings = {"short_memory": 6, "stride": 9, "seed": 5, "eval_batch_size": 64, **dict(run.data)}
    data = ToyActions(batch_size=batch_size, num_workers=run.workers, **settings)
    classifier = make_classifier(data, run)
    book, observer = book or Book(), Observer(run)
    trainer = Trainer(
        **{
            "accelerator": "cpu",
            "devices": run.processes,
            "strategy": strategy_of(run),
            "logger": book,
            "max_epochs": run.epochs,
            "max_steps": run.steps,
            "accumulate_grad_batches": run.accumulate,
            "log_every_n_steps": 1,
            "num_sanity_val_steps": 0,
            "limit_val_batches": 0 if run.validate is None else 1.0,
            "val_check_interval": run.validate or 1.0,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": any(isinstance(callback, ModelCheckpoint) for callback in run.callbacks),
            "default_root_dir": run.root,
            "callbacks": [observer, *run.callbacks],
            **dict(run.trainer),
        }
    )
    torch.manual_seed(2)  # the run's seed is drawn from here
    trainer.fit(classifier, datamodule=data, ckpt_path=run.resume)
    return Ending(
        book.losses,
        book.validations,
        of_all_processes(observer.samples),
        digest(dict(classifier.named_parameters())),
        digest(trainer.optimizers[0].state_dict()),
        digest(trainer.lr_scheduler_configs[0].scheduler.state_dict()),
        digest([torch.get_rng_state(), np.random.get_state(), random.getstate()]),
        trainer.global_step,
    )


def of_all_processes(samples: list[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """Join what each process read, batch by batch."""
    if not distributed.is_initialized():
        return samples
    gathered: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(gathered, samples)
    return [[key for part in parts for key in part] for parts in zip(*gathered, strict=True)]


def record(rank: int, run: Run, ending: Path) -> None:
    """Train; the first process writes how it ended."""
    found = train(run)
    if rank == 0:
        ending.write_text(json.dumps(found))


def launch(run: Run) -> tuple[list[int | None], Ending | None]:
    """Train in processes of their own: their exit statuses, and how the run ended if it did."""
    ending = run.root / "ending.json"
    ending.unlink(missing_ok=True)
    return start(run.processes, record, run, ending), read_ending(ending)


def finished(run: Run) -> Ending:
    """Train in processes of their own, to the end."""
    codes, ending = launch(run)
    assert codes == [0] * run.processes
    assert ending is not None
    return ending


def read_ending(path: Path) -> Ending | None:
    """What :func:`be_rank` wrote."""
    if not path.is_file():
        return None
    found = Ending(*json.loads(path.read_text()))
    return found._replace(
        losses={int(step): loss for step, loss in found.losses.items()},
        validations={int(step): values for step, values in found.validations.items()},
        samples=[[(video, ordinal) for video, ordinal in batch] for batch in found.samples],
    )
