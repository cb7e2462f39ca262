"""One new part is one new file outside the package and one line of a config."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml

from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main
from gad_lightning.errors import CheckpointError

MODULE = "somebodys_parts"
FILES = {
    "head": '''
from torch import nn
from gad_lightning.heads.base import ClassifierHead

class CosineHead(ClassifierHead):
    """Classes are directions."""

    def __init__(self, hidden_size, labels, scale: float = 20.0):
        super().__init__(hidden_size, labels)
        self.scale = scale
        self.rows = nn.Linear(hidden_size, len(labels.names), bias=False)

    def forward(self, states):
        return self.scale * nn.functional.linear(
            nn.functional.normalize(states, dim=-1), nn.functional.normalize(self.rows.weight, dim=-1)
        )
''',
    "context": '''
from gad_lightning.prompts.contexts.base import AuxiliaryContext

class HowMany(AuxiliaryContext):
    """How many actions are over."""

    def context(self, moment):
        return [str(sum(segment.end <= moment.frame for segment in moment.segments))]
''',
    "labels": '''
from gad_lightning.prompts.labels.base import LabelTokens

class Numbers(LabelTokens):
    """Classes by two new digits."""

    def tokens(self, names, vocabulary):
        digits = [vocabulary.new_token(f"<digit {index}>", written=True) for index in range(10)]
        return [[digits[index // 10], digits[index % 10]] for index in range(len(names))]
''',
    "objective": '''
from torch import nn
from gad_lightning.objectives.base import Objective
from gad_lightning.types import Loss

class SmallStates(Objective):
    """States of length 1."""

    def prepare(self, schema, backbone, prefix):
        self.scale = nn.Linear(backbone.hidden_size, 1)

    def forward(self, batch, tokens, states, backbone):
        each = (self.scale(tokens.at_slots(states)) ** 2).squeeze(1)
        return Loss(each.sum(), each.new_tensor(float(len(each))))
''',
    "readout": '''
import torch
from gad_lightning.readouts.base import Readout

class FirstToken(Readout):
    """The first token of each class only."""

    def scores(self, branches, writer, task):
        first = torch.tensor([ids[0] for ids in writer.label_ids[0]])
        return branches.backbone.token_logits(branches.slot_states, first).float().log_softmax(1).cpu()
''',
    "backbone": '''
from gad_lightning.backbones.tiny import TinyBackbone

class OneLayer(TinyBackbone):
    """A single layer."""

    def __init__(self, hidden_size: int = 32):
        super().__init__(hidden_size=hidden_size, num_layers=1)
''',
    "data": '''
import numpy as np
from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.records import VideoRecord
from gad_lightning.segments import Segment

class Blinks(ActionDataModule):
    """On and off."""

    class_names = ["background", "on"]

    def records(self, split):
        return [
            VideoRecord(f"{split}{number}", ArrayFrames(np.ones((20, 3), dtype=np.float32), 4.0), [Segment(1, 5, 9)])
            for number in range(2)
        ]
''',
}
GAD = "gad_lightning.GADClassifier"
GEN = "gad_lightning.GenerativeClassifier"
CASES = [
    pytest.param("head", "CosineHead", GAD, "head", id="head"),
    pytest.param("context", "HowMany", GAD, "context", id="context"),
    pytest.param("labels", "Numbers", GEN, "labels", id="label tokens"),
    pytest.param("objective", "SmallStates", GAD, "objectives", id="objective"),
    pytest.param("readout", "FirstToken", GEN, "readout", id="readout"),
    pytest.param("backbone", "OneLayer", GAD, "backbone", id="backbone"),
]


@pytest.fixture
def somebodys_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / MODULE
    package.mkdir()
    for name, text in FILES.items():
        (package / f"{name}.py").write_text(text)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == MODULE]:
        del sys.modules[name]
    return package


def fit(folder: Path, kind: str, argument: str | None = None, part: str | None = None, data: str | None = None) -> Path:
    """Train one step by one config file; the last checkpoint."""
    arguments: dict[str, object] = {"backbone": "gad_lightning.TinyBackbone"}
    if argument is not None:
        arguments[argument] = [part] if argument == "objectives" else part
    config = {
        "model": {"class_path": kind, "init_args": arguments},
        "data": data or {"class_path": "gad_lightning.ToyActions", "init_args": {"short_memory": 4, "stride": 8}},
        "trainer": {"max_steps": 1, "accelerator": "cpu", "enable_progress_bar": False, "limit_val_batches": 1},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    main(["fit", f"--config={path}", f"--trainer.default_root_dir={folder / 'runs'}"])
    return next((folder / "runs").rglob("*.ckpt"))


@pytest.mark.parametrize(("name", "part", "kind", "argument"), CASES)
def test_a_part_of_ones_own_works_by_one_line_and_comes_back_from_the_checkpoint(
    name: str, part: str, kind: str, argument: str, somebodys_package: Path
) -> None:
    checkpoint = fit(somebodys_package.parent, kind, argument, f"{MODULE}.{name}.{part}")
    with pytest.raises(CheckpointError, match=f"names {MODULE}.{name}.{part}, and only classes of gad_lightning"):
        Classifier.load_from_checkpoint(checkpoint)
    again = Classifier.load_from_checkpoint(checkpoint, allowed=("gad_lightning", MODULE))
    assert again(torch.zeros(1, 4, again.schema.features.width)).isfinite().any()


def test_a_data_set_of_ones_own_works_by_one_line(somebodys_package: Path) -> None:
    checkpoint = fit(somebodys_package.parent, GAD, data=f"{MODULE}.data.Blinks")
    assert Classifier.load_from_checkpoint(checkpoint).schema.tasks[0].labels.names == ("background", "on")
