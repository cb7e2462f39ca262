"""What could never be read again is not written."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.saving.readable import check_readable
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError
from tests.classifiers.saving.test_differences import runner, toy


class Keeps(Callback):
    """Keeps what it is given."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept

    def state_dict(self) -> dict[str, Any]:
        return {"scores": {"best": self.kept}}


class Mine(GADClassifier):
    """As every tutorial of Lightning has it."""

    def __init__(self, my_weight: float = 0.5, **others: Any) -> None:
        super().__init__(**others)
        self.save_hyperparameters()


def test_numpy_in_the_state_of_a_callback_is_named_at_the_first_save(tmp_path: Path) -> None:
    data = ToyActions()
    trainer = runner(callbacks=[Keeps(np.float64(0.3))])
    trainer.fit(GADClassifier(backbone=TinyBackbone(hidden_size=16), schema=data.schema), data)
    with pytest.raises(
        CheckpointError, match=r"numpy\.float64 under 'callbacks' > 'Keeps' > 'scores' > 'best'.*\n.*float"
    ):
        trainer.save_checkpoint(tmp_path / "x.ckpt")
    assert not (tmp_path / "x.ckpt").exists()


def test_hyperparameters_of_a_subclass_are_saved_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    data = toy()
    trainer = runner()
    trainer.fit(Mine(my_weight=0.25, backbone=TinyBackbone(hidden_size=16), schema=data.schema), data)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    kept = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert kept["hyper_parameters"]["my_weight"] == 0.25
    again = Mine.load_from_checkpoint(tmp_path / "x.ckpt", allowed=["gad_lightning", "tests"])
    assert again.arguments["my_weight"] == 0.25
    runner(max_steps=2).fit(
        Mine(backbone=TinyBackbone(hidden_size=16), schema=data.schema), data, ckpt_path=tmp_path / "x.ckpt"
    )


@pytest.mark.parametrize(
    "value", [{1, 2}, OrderedDict(a=torch.ones(2)), torch.float32, (1, [2.0, None], {"a": b"c"}), torch.Size([2])]
)
def test_what_torch_reads_passes(value: object) -> None:
    check_readable({"mine": {"inner": value}})


@pytest.mark.parametrize("value", [np.ones(2), lambda: 0, Path("x"), np.int64(1), object()])
def test_what_torch_does_not_read_is_named(value: object) -> None:
    with pytest.raises(CheckpointError, match=r"under 'mine' > 'inner' > 1, which is no plain data"):
        check_readable({"mine": {"inner": [0, value]}})
