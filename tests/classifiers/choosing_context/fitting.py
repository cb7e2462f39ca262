"""Short runs of GAD on toy videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions


def fitted(
    folder: Path, epochs: int, resume: Path | None = None, videos: int = 40, mode: Any = "one_pass", **settings: Any
) -> tuple[GADClassifier, Path]:
    """Fit a tiny GAD; it, and the checkpoint of its last step."""
    seed_everything(0, verbose=False)
    data = ToyActions(num_videos=videos, mode=mode, batch_size=8, short_memory=8, stride=16)
    backbone = TinyBackbone(hidden_size=16, num_layers=1)
    classifier = GADClassifier(backbone=backbone, schema=data.schema, **settings)
    keeper = ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "limit_val_batches": 0, "logger": False}
    trainer = Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, callbacks=[keeper], default_root_dir=folder, **quiet
    )
    trainer.fit(classifier, data, ckpt_path=resume)
    return classifier, folder / f"step={trainer.global_step}.ckpt"
