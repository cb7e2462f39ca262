"""Loaders under Lightning and under a plain loop."""

from __future__ import annotations

from pathlib import Path

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.types import Batch


class Order(Callback):
    """Remembers which chunks every training batch has."""

    def __init__(self) -> None:
        self.batches: dict[int, list[list[tuple[int, int]]]] = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Take note."""
        video = [int(batch.video[batch.sample == row][0]) for row in range(len(batch.frame_counts))]
        chunks = list(zip(video, batch.first_frame.tolist(), strict=True))
        self.batches.setdefault(trainer.current_epoch, []).append(chunks)


def test_overfitting_keeps_the_batches_and_repeats_those_of_the_first_epoch(tmp_path: Path) -> None:
    data, order = ToyActions(num_videos=16, mode="one_pass", chunk=8, batch_size=4), Order()
    trainer = Trainer(
        max_epochs=3,
        overfit_batches=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[order],
        default_root_dir=tmp_path,
    )
    trainer.fit(GADClassifier(backbone=TinyBackbone(hidden_size=16, num_layers=1), schema=data.schema), data)
    first, *others = (order.batches[epoch] for epoch in range(3))
    assert [len(batch) for batch in first] == [4, 4]
    assert others == [first, first]


def test_a_plain_loop_sees_new_chunks_and_answers_in_every_epoch() -> None:
    data = ToyActions(num_videos=16, mode="one_pass", chunk=8, batch_size=4)
    data.setup("fit")
    loader = data.train_dataloader()
    epochs = [[(batch.first_frame.tolist(), batch.uniform.tolist()) for batch in loader] for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    evaluation = data.val_dataloader()
    assert isinstance(evaluation, DataLoader)
    assert [batch.query_index.tolist() for batch in evaluation] == [batch.query_index.tolist() for batch in evaluation]
    model = GADClassifier(backbone=TinyBackbone(hidden_size=16, num_layers=1), schema=data.schema)
    assert model.training_step(next(iter(loader)), 0).isfinite()
