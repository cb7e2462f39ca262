"""Each ablation is one line of a config, from there to a checkpoint that predicts again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main

KINDS = {
    "disc": "gad_lightning.DiscriminativeClassifier",
    "gad": "gad_lightning.GADClassifier",
    "gen": "gad_lightning.GenerativeClassifier",
}
HEAD = "gad_lightning.PreviousActionHead"
CONTEXT = {"context": "gad_lightning.PreviousActions"}
LAST = {"class_path": "gad_lightning.Prompt", "init_args": {"opener": ""}}
NEAREST = {"class_path": "gad_lightning.NearestReadout", "init_args": {"max_tokens": 1}}
SINGLE = {"labels": "gad_lightning.SingleTokenLabels"}


@pytest.mark.filterwarnings("ignore:generative_first")
@pytest.mark.parametrize("mode", ["window", "one_pass"])
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        pytest.param("gad", {"prompt": LAST}, id="last visual token"),
        pytest.param("gad", {"order": "parallel", **CONTEXT}, id="parallel"),
        pytest.param("gad", {"order": "generative_first", **CONTEXT}, id="generative first"),
        pytest.param("disc", {"objectives": [HEAD]}, id="prev disc"),
        pytest.param("disc", {"objectives": [{"class_path": HEAD, "init_args": {"own_slot": True}}]}, id="disc+"),
        pytest.param("gen", {"readout": NEAREST, **SINGLE}, id="single, whole vocabulary"),
    ],
)
def test_one_line_of_a_config(kind: str, line: dict[str, Any], mode: str, tmp_path: Path) -> None:
    data = {"short_memory": 4, "chunk": 8, "mode": mode, "batch_size": 4}
    arguments = {"backbone": "gad_lightning.TinyBackbone", **line}
    config = {
        "model": {"class_path": KINDS[kind], "init_args": arguments},
        "data": {"class_path": "gad_lightning.ToyActions", "init_args": data},
        "trainer": {"max_steps": 2, "accelerator": "cpu", "enable_progress_bar": False, "limit_val_batches": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    main(["fit", f"--config={tmp_path / 'config.yaml'}", f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    again = Classifier.load_from_checkpoint(next(tmp_path.rglob("*.ckpt")))
    assert again(torch.zeros(1, 4, again.schema.features.width)).exp().sum() > 0
