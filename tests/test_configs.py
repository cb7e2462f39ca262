"""Every config of ``experiments`` trains: one step on toy data with the tiny backbone, all else as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gad_lightning.cli import main

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "experiments").rglob("*.yaml"))
SMALL = [
    "--model.backbone=gad_lightning.TinyBackbone",
    "--data=gad_lightning.ToyActions",
    "--trainer.fast_dev_run=true",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.num_nodes=1",
    "--trainer.strategy=auto",
    "--trainer.precision=32-true",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]
every_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")


@every_config
def test_a_config_trains(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["fit", f"--config={config}", *SMALL])


@every_config
def test_a_config_stands_alone_and_says_what_it_costs(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# "), "say in the first line what the run reproduces and what it costs"
    assert re.search(r"\d+ (s|min|minutes?|h|hours?)\b|seconds|a minute|an hour", first), "say how long it takes"
    keys = [key for key in yaml.safe_load(text) if key != "seed_everything"]
    assert keys == ["model", "data", "trainer"], "the order of every config"
    assert not re.search(r":\s*['\"]?/", text), "no absolute path: it is true on one machine only"
    for name in re.findall(r"\$\{([^}]*)\}", text):
        assert name.startswith("oc.env:") or name in text, "each file is resolved alone, before the command line"
