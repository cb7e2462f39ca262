"""Training by a Trainer on the GPU: mixed precision, a stop, files that go from one device to the other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.training.distribution import average
from gad_lightning.types import Batch
from tests.gpu.card import DEVICE, KINDS, LORA, ON_GPU, asking, pair, same, shake, tiny

pytestmark = [*ON_GPU, pytest.mark.filterwarnings("ignore")]


def data(**more: Any) -> ToyActions:
    """Five steps an epoch or so."""
    return ToyActions(num_videos=8, mode="one_pass", window=8, chunk=8, batch_size=2, **more)


def classifier_for(source: ToyActions, kind: str = "gad", **backbone: Any) -> Classifier:
    """A classifier for the toy data, its weights a function of nothing else."""
    source.prepare_data()
    source.setup("fit")
    torch.manual_seed(0)
    given = {"lora": {**LORA, "lora_dropout": 0.1}, "lora_on_head": True, **backbone}
    return KINDS[kind](backbone=tiny(**given), schema=source.schema)


def trainer(folder: Path, precision: str = "bf16-mixed", **more: Any) -> Trainer:
    """A quiet trainer of two epochs on the device."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    own = {"max_epochs": 2, "accelerator": "gpu" if DEVICE == "cuda" else DEVICE, "devices": 1, "precision": precision}
    return Trainer(default_root_dir=folder, **quiet, **{**own, **more})


def weights_of(classifier: Classifier) -> dict[str, torch.Tensor]:
    """Trained weights, on the CPU."""
    return {name: weight.detach().cpu().clone() for name, weight in classifier.trained_state().items()}


class Watcher(Callback):
    """Notes where batches and states are while training."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Note the devices."""
        self.seen.add((batch.frames.device.type, batch.label.device.type))


@pytest.mark.parametrize("kind", KINDS)
def test_fit_validate_test_and_predict(kind: str, tmp_path: Path) -> None:
    source, watcher = data(), Watcher()
    classifier = classifier_for(source, kind)
    before = weights_of(classifier)
    run = trainer(tmp_path, callbacks=[watcher, ModelCheckpoint(tmp_path)])
    run.fit(classifier, source)
    after = weights_of(classifier)
    assert watcher.seen == {(DEVICE, "cpu")}
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(weight.isfinite().all() for weight in after.values())
    assert 0 <= float(run.callback_metrics["val/top1"]) <= 1
    assert 0 <= run.test(classifier, source, verbose=False)[0]["test/segment_f1"] <= 1
    predicted = run.predict(classifier, source)
    assert predicted is not None
    assert all(part.scores.device.type == "cpu" for part in predicted)


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_a_stopped_run_goes_on_to_the_same_weights(precision: str, tmp_path: Path) -> None:
    source = data(seed=3)
    whole = classifier_for(source)
    saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trainer(tmp_path, precision, callbacks=[saver]).fit(whole, source)
    stops = sorted(tmp_path.glob("*.ckpt"), key=lambda path: int(path.stem.split("=")[1]))
    assert len(stops) > 2
    again = classifier_for(data(seed=3))
    trainer(tmp_path, precision, enable_checkpointing=False).fit(again, data(seed=3), ckpt_path=stops[len(stops) // 2])
    expected, found = weights_of(whole), weights_of(again)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-5)


def test_checkpoints_go_from_one_device_to_the_other(tmp_path: Path) -> None:
    source = data()
    classifier = classifier_for(source)
    run = trainer(tmp_path, enable_checkpointing=False, max_epochs=1)
    run.fit(classifier, source)
    run.save_checkpoint(tmp_path / "card.ckpt")
    video = torch.randn(30, source.width)
    expected = classifier.to(DEVICE).detect(video).scores
    on_host = type(classifier).load_from_checkpoint(tmp_path / "card.ckpt")
    assert on_host.device.type == "cpu"
    same(on_host.detect(video).scores, expected)
    on_card = type(classifier).load_from_checkpoint(tmp_path / "card.ckpt", map_location=DEVICE)
    assert {weight.device.type for weight in on_card.parameters()} == {DEVICE}
    same(on_card.detect(video).scores, expected)
    on_card.save_pretrained(tmp_path / "folder")
    for device in ("cpu", DEVICE):
        same(type(classifier).from_pretrained(tmp_path / "folder", map_location=device).detect(video).scores, expected)


def test_a_run_begun_on_the_cpu_goes_on_on_the_gpu(tmp_path: Path) -> None:
    source = data(seed=3)
    first = trainer(tmp_path, "32-true", accelerator="cpu", max_epochs=1, callbacks=[ModelCheckpoint(tmp_path)])
    first.fit(classifier_for(source), source)
    (stop,) = tmp_path.glob("*.ckpt")
    rest = classifier_for(data(seed=3))
    run = trainer(tmp_path, enable_checkpointing=False)
    run.fit(rest, data(seed=3), ckpt_path=stop)
    assert run.current_epoch == 2
    assert all(weight.isfinite().all() for weight in rest.parameters())


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_from_pinned_memory(workers: int) -> None:
    source = data(num_workers=workers)
    source.prepare_data()
    source.setup("fit")
    batch = next(iter(source.train_dataloader()))
    assert isinstance(batch, Batch)
    assert all(part.is_pinned() == (DEVICE == "cuda") for part in batch if part is not None and part.numel())
    moved = batch.to(DEVICE)
    same(moved.frames, batch.frames)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "lora"])
def test_losses_under_autocast(kind: str, lora: dict[str, Any] | None) -> None:
    _, there = pair(kind, "one_pass", tiny(lora=lora, lora_on_head=lora is not None and kind != "disc"))
    batch = shake(there).train() and asking().to(DEVICE)
    exact = average(there.losses(batch), 1)[0]
    with torch.autocast(DEVICE, torch.bfloat16):
        cast = average(there.losses(batch), 1)[0]
    cast.backward()
    same(cast, exact, 0.05)
    trained = [weight for weight in there.parameters() if weight.requires_grad]
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in trained)
    assert all(weight.dtype == torch.float32 for weight in trained)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_gives_the_same_gradients(kind: str) -> None:
    found = []
    for checkpointing in (False, True):
        backbone = tiny(lora=LORA)
        backbone.gradient_checkpointing = checkpointing
        _, there = pair(kind, "one_pass", backbone)
        average(shake(there).train().losses(asking().to(DEVICE)), 1)[0].backward()
        found.append([weight.grad for weight in there.parameters() if weight.grad is not None])
    for plain, again in zip(*found, strict=True):
        same(again, plain)


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_a_quantised_base_trains(quantization: str) -> None:
    pytest.importorskip("bitsandbytes")
    warnings.simplefilter("ignore")
    backbone = tiny(lora=LORA)
    backbone.quantization, backbone.mergeable = quantization, False
    _, there = pair("gad", "one_pass", backbone)
    with torch.autocast(DEVICE, torch.bfloat16):
        loss = average(there.losses(asking().to(DEVICE)), 1)[0]
    loss.backward()
    assert loss.isfinite()
