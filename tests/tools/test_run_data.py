"""The data of a run, made from its config."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.heads.text import TextHead
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.tools.run_data import data_of


def test_it_has_the_settings_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "data:\n  class_path: gad_lightning.ToyActions\n  init_args: {num_videos: 12}\n"
    )
    data = data_of(tmp_path, ALLOWED_PACKAGES)
    assert isinstance(data, ToyActions)
    assert data.num_videos == 12


def test_a_run_without_a_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"has no config\.yaml"):
        data_of(tmp_path, ALLOWED_PACKAGES)


def test_a_class_of_another_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {class_path: subprocess.Popen}\n")
    with pytest.raises(SettingError, match=r"names subprocess\.Popen"):
        data_of(tmp_path, ALLOWED_PACKAGES)


def test_classes_that_were_added_to_the_checkpoint_count_as_they_do_there(tmp_path: Path) -> None:
    made = "  init_args: {unknown_classes: [stir tea, add salt]}\n"
    (tmp_path / "config.yaml").write_text(f"data:\n  class_path: gad_lightning.ToyActions\n{made}")
    data = data_of(tmp_path, ALLOWED_PACKAGES)
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    classifier = DiscriminativeClassifier(schema=data.schema, backbone=backbone, head=TextHead).eval()
    classifier.add_classes({"stir tea": "stir tea"})
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(classifier)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert data.added_classes == []
    assert data_of(tmp_path, ALLOWED_PACKAGES, tmp_path / "a.ckpt").added_classes == ["stir tea"]
