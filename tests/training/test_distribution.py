"""Several processes train as one would: DDP and FSDP2 over gloo, heads and answers missing from a process's batch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.training.distribution import average
from gad_lightning.types import Batch, Loss
from tests.backbones.folders import llama_folder
from tests.classifiers.making import NAMES, WIDTH, batch, random_frames
from tests.training.processes import start
from tests.training.program import NO_DROPOUT, Book, Ending, Run, finished, train

KINDS: dict[str, type[Classifier]] = {
    "discriminative": DiscriminativeClassifier,
    "gad": GADClassifier,
    "generative": GenerativeClassifier,
}
CLOSE = 1e-4
"""Relative difference that another order of float32 sums may make in a run of ten steps."""


def assert_same_course(found: Ending, expected: Ending, close: float = CLOSE) -> None:
    """Compare data order, and losses and metrics up to the order of sums."""
    assert found.samples == expected.samples
    assert found.losses == pytest.approx(expected.losses, rel=close)
    assert found.validations.keys() == expected.validations.keys()
    for step, values in expected.validations.items():
        assert found.validations[step] == pytest.approx(values, rel=close)


@pytest.mark.slow  # starts processes of their own
@pytest.mark.parametrize("processes", [2, 4])
def test_losses_and_metrics_are_those_of_one_process(processes: int, tmp_path: Path) -> None:
    run = Run(tmp_path, lora=NO_DROPOUT, step_samples=8, accumulate=2, trainer=(("gradient_clip_val", 0.5),))
    alone = train(run)
    assert len(alone.losses) >= 4
    assert_same_course(finished(run._replace(processes=processes)), alone)


def two_heads() -> DataSchema:
    """Two tasks, each with classes of its own."""
    tasks = Task("action", LabelSet(NAMES, 0)), Task("next", LabelSet(("nothing", "stir", "serve"), 0))
    return DataSchema(tasks, ("tea",), FeatureSpec("test", 4.0, WIDTH))


def uneven(step: int) -> Batch:
    """Four samples: of both tasks, of the first alone, of the second alone and unanswered, and of none."""
    asked = batch(random_frames(4, 8, seed=step), [[3, 7], [5], [7], []], torch.tensor([1, 2, 3, 2]))
    return asked._replace(task=torch.tensor([0, 1, 0, 1]), uniform=torch.tensor([0.1, 0.9, 0.2, 0.9]))


def fit_uneven(rank: int, processes: int, folder: Path) -> None:
    """Train each classifier for three steps on this process's queries, and write losses and weights."""
    torch.set_num_threads(1)
    steps = [uneven(step) for step in range(3)]
    own = [whole.asking(whole.sample % processes == rank) for whole in steps]
    written: dict[str, Any] = {}
    for name, kind in KINDS.items():
        for lora in (None, NO_DROPOUT):
            torch.manual_seed(0)
            backbone = TinyBackbone(hidden_size=16, num_layers=1, num_heads=2, lora=lora)
            share = {"answer_fraction": 0.5} if name == "gad" else {}
            classifier = kind(backbone=backbone, schema=two_heads(), **share)
            book = Book()
            trainer = Trainer(
                accelerator="cpu",
                devices=processes,
                strategy="ddp" if processes > 1 else "auto",
                max_epochs=1,
                logger=book,
                log_every_n_steps=1,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=folder,
            )
            trainer.fit(classifier, DataLoader(own, batch_size=None))
            weights = {key: weight.detach() for key, weight in classifier.trained_state().items()}
            written[f"{name}, lora {lora is not None}"] = {"losses": book.losses, "weights": weights}
    if rank == 0:
        torch.save(written, folder / f"{processes}.pt")


def average_of_a_nan(rank: int, folder: Path) -> None:
    """A loss that is no number in the second process only."""
    torch.distributed.init_process_group("gloo")
    own = Loss(torch.tensor(float("nan") if rank else 6.0), torch.tensor(3.0))
    torch.save(average({"class": own}, 2)[0], folder / f"{rank}.pt")


@pytest.mark.slow  # starts processes of their own
def test_a_loss_that_is_not_finite_in_one_process_is_not_in_any(tmp_path: Path) -> None:
    assert start(2, average_of_a_nan, tmp_path) == [0, 0]
    assert all(torch.load(tmp_path / f"{rank}.pt", weights_only=True).isnan() for rank in range(2))


@pytest.mark.slow  # starts processes of their own
def test_heads_and_answers_missing_from_a_process_change_nothing(tmp_path: Path) -> None:
    fit_uneven(0, 1, tmp_path)
    assert start(4, fit_uneven, 4, tmp_path) == [0] * 4
    expected, found = (torch.load(tmp_path / f"{processes}.pt", weights_only=True) for processes in (1, 4))
    for name, run in expected.items():
        assert len(run["losses"]) == 3
        assert found[name]["losses"] == pytest.approx(run["losses"], rel=CLOSE), name
        for weight, values in run["weights"].items():
            assert torch.allclose(found[name]["weights"][weight], values, atol=1e-5), f"{name}: {weight}"


@pytest.mark.slow  # starts processes of their own
def test_spread_blocks_train_as_one_process_and_resume_to_the_bit(tmp_path: Path) -> None:
    run = Run(tmp_path, lora=NO_DROPOUT, save_at=(("batch_end", 3),), trainer=(("gradient_clip_val", 0.5),))
    alone = train(run._replace(save_at=()))
    spread = run._replace(processes=2, sharded=True)
    whole = finished(spread)
    assert_same_course(whole, alone)
    checkpoint = run.checkpoint("batch_end", 3)
    rest = finished(spread._replace(save_at=(), resume=checkpoint))
    assert rest[3:] == whole[3:]
    assert rest.samples == whole.samples[3:]
    assert rest.losses.items() <= whole.losses.items()
    Classifier.load_from_checkpoint(checkpoint)  # whole, in one file, without the frozen weights
    unspread = train(run._replace(save_at=(), resume=checkpoint))
    assert list(unspread.losses.values()) == pytest.approx(list(alone.losses.values())[3:], rel=CLOSE)


@pytest.mark.slow  # starts processes of their own
def test_blocks_are_spread_between_passes_in_training_and_whole_in_evaluation(tmp_path: Path) -> None:
    run = Run(tmp_path, kind=GenerativeClassifier, lora=NO_DROPOUT, data=(("eval_batch_size", 1),))
    alone = train(run)
    spread = run._replace(processes=2, sharded=True, callbacks=(Spreading(),))
    whole = finished(spread._replace(save_at=(("validation_end", 5),)))
    assert_same_course(whole, alone)
    rest = finished(spread._replace(resume=run.checkpoint("validation_end", 5)))
    assert rest[3:] == whole[3:]


class Spreading(Callback):
    """Ends a process whose blocks are not as they should be."""

    def on_before_backward(self, trainer: Trainer, pl_module: Any, loss: Tensor) -> None:
        assert self.spread(pl_module) == {True}

    def on_validation_batch_end(self, trainer: Trainer, pl_module: Any, *batch: Any) -> None:
        assert self.spread(pl_module) == {False}  # one process has 34 batches, the other 33

    def spread(self, classifier: Classifier) -> set[bool]:
        """Whether weights of the blocks are spread."""
        return {isinstance(weight, DTensor) for block in classifier.backbone.blocks for weight in block.parameters()}


@pytest.mark.slow  # starts processes of their own
@pytest.mark.parametrize(
    ("lm", "how"),
    [
        pytest.param({"gradient_checkpointing": True}, {"precision": "bf16-mixed"}, id="bf16-mixed"),
        pytest.param({"dtype": "bfloat16"}, {"precision": "bf16-true"}, id="bf16-true"),
        pytest.param({"gradient_checkpointing": True, "sharded": True}, {"precision": "bf16-mixed"}, id="FSDP2"),
        pytest.param({"sharded": True}, {"precision": "bf16-true"}, id="FSDP2, bf16-true"),
        pytest.param({"quantization": "nf4", "gradient_checkpointing": True}, {}, id="QLoRA"),
    ],
)
def test_number_formats_checkpointing_and_qlora_on_two_processes(
    lm: dict[str, Any], how: dict[str, Any], tmp_path: Path
) -> None:
    arguments = {"language_model": str(llama_folder(tmp_path / "llama", words=ToyActions().class_names)), **lm}
    sharded = arguments.pop("sharded", False)
    run = Run(tmp_path, lora=NO_DROPOUT, causal_lm=arguments, epochs=1, accumulate=2, trainer=tuple(how.items()))
    alone, found = train(run), finished(run._replace(processes=2, sharded=sharded))
    assert_same_course(found, alone, 0.02 if how else CLOSE)
    assert len(alone.losses) == found.steps >= 3


def refuse(rank: int, run: Run, strategy: dict[str, Any], said: Path) -> None:
    """Train under a sharding strategy of these settings, and write what is said of it."""
    settings = {"data_parallel_size": 1, "tensor_parallel_size": 1, "save_distributed_checkpoint": False, **strategy}
    with pytest.raises(SettingError) as refused:
        train(run._replace(trainer=(("strategy", ModelParallelStrategy(**settings)),)))
    if rank == 0:
        said.write_text(str(refused.value))


@pytest.mark.slow  # starts processes of their own
@pytest.mark.parametrize(
    ("strategy", "lm", "message"),
    [
        ({"data_parallel_size": 1, "tensor_parallel_size": 2}, {}, "set data_parallel_size: 2 and tensor_parallel"),
        ({"save_distributed_checkpoint": True}, {}, "checkpoints of many files"),
        ({}, {"quantization": "nf4"}, "quantized backbone cannot be spread .* or use strategy: ddp"),
    ],
)
def test_what_cannot_be_spread_is_refused(
    strategy: dict[str, Any], lm: dict[str, Any], message: str, tmp_path: Path
) -> None:
    processes = strategy.get("tensor_parallel_size", 1)
    llama = llama_folder(tmp_path / "llama", words=ToyActions().class_names)
    run = Run(tmp_path, processes=processes, causal_lm={"language_model": str(llama), **lm})
    assert start(processes, refuse, run, strategy, tmp_path / "said") == [0] * processes
    assert re.search(message, (tmp_path / "said").read_text(), re.DOTALL)
