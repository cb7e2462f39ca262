"""The command ``add-classes``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.heads.factor import FactorHead
from gad_lightning.heads.text import TextHead
from gad_lightning.tools.add_classes import main
from tests.classifiers.making import NAMES, make, random_frames


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a checkpoint, texts and an example."""
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(make(DiscriminativeClassifier, backbone=backbone, head=partial(TextHead, mode="frozen")))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    np.save(tmp_path / "clip.npy", random_frames(1, 8)[0].numpy())
    (tmp_path / "classes.csv").write_text("label,text\npour,stir salt\n")
    (tmp_path / "examples.csv").write_text("label,video,start,end\nwait,clip.npy,0.5,1.5\npour,clip.npy,0,0.5\n")
    return tmp_path


def test_classes_of_both_files_are_added_and_the_checkpoint_that_was_read_stays(source: Path) -> None:
    main(str(source / "a.ckpt"), source / "b.ckpt", source / "classes.csv", source / "examples.csv")
    again = Classifier.from_pretrained(source / "b.ckpt")
    assert again.schema.tasks[0].labels.names == (*NAMES, "pour", "wait")
    assert Classifier.from_pretrained(source / "a.ckpt").schema.tasks[0].labels.names == NAMES


def test_a_folder_becomes_a_folder(source: Path) -> None:
    folder = Classifier.from_pretrained(source / "a.ckpt").save_pretrained(source / "folder")
    main(str(folder), source / "more", source / "classes.csv")
    assert Classifier.from_pretrained(source / "more").schema.tasks[0].labels.names == (*NAMES, "pour")


def test_a_new_pair_of_a_file_is_added(source: Path) -> None:
    folder = make(DiscriminativeClassifier, head=FactorHead).save_pretrained(source / "folder")
    (source / "pairs.csv").write_text("label,verb,object\nstir salt,stir,salt\n")
    main(str(folder), source / "more", factors=source / "pairs.csv")
    assert Classifier.from_pretrained(source / "more").schema.tasks[0].labels.names == (*NAMES, "stir salt")


def test_a_run_with_the_new_classes_weighs_them_against_the_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("data: {class_path: gad_lightning.ToyActions, init_args: {mode: one_pass}}\n")
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    known = ToyActions(mode="one_pass", unknown_classes=["pour water", "add salt"]).schema
    made = DiscriminativeClassifier(schema=known, backbone=backbone, head=partial(TextHead, mode="frozen"))
    folder = made.save_pretrained(tmp_path / "folder")
    (tmp_path / "classes.csv").write_text("label,text\nadd salt,add tea\npour water,stir tea\n")
    main(str(folder), tmp_path / "more", tmp_path / "classes.csv", run=tmp_path)
    head = Classifier.from_pretrained(tmp_path / "more").get_submodule("heads.0")
    assert isinstance(head, TextHead)
    assert f"{float(head.offset):+.3g} on the logits of the classes" in capsys.readouterr().out
    assert float(head.offset) != 0


def test_an_output_of_the_other_kind_is_refused(source: Path) -> None:
    with pytest.raises(SettingError, match=r"a \.ckpt file is made"):
        main(str(source / "a.ckpt"), source / "more", source / "classes.csv")


def test_nothing_to_add_is_refused(source: Path) -> None:
    with pytest.raises(SettingError, match="There is no class to add"):
        main(str(source / "a.ckpt"), source / "b.ckpt")
    assert not (source / "b.ckpt").exists()


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("wait,clip.npy,0,soon", "line 2: start or end is no time: '0', 'soon'"),
        (",clip.npy,0,1", "line 2: label is empty"),
        ("wait,,0,1", "line 2: video is empty"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line(source: Path, row: str, named: str) -> None:
    (source / "examples.csv").write_text(f"label,video,start,end\n{row}\n")
    with pytest.raises(DataError, match=named):
        main(str(source / "a.ckpt"), source / "b.ckpt", examples=source / "examples.csv")


def test_a_video_that_is_not_there_is_named(source: Path) -> None:
    (source / "examples.csv").write_text("label,video,start,end\nwait,none.npy,0,1\n")
    with pytest.raises(MissingDataError, match=r"none\.npy"):
        main(str(source / "a.ckpt"), source / "b.ckpt", examples=source / "examples.csv")


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"none\.ckpt"):
        main(str(tmp_path / "none.ckpt"), tmp_path / "b.ckpt")
