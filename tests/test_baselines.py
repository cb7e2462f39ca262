"""The baselines: same frames and metrics as the classifiers, nothing seen too early, one command line."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gad_lightning.data.toy import ToyActions
from gad_lightning.types import Batch

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "experiments" / "baselines"
KINDS = pytest.mark.parametrize(
    ("script", "name"),
    [("logistic", "LogisticRegression"), ("gru", "CausalGRU"), ("transformer", "CausalTransformer")],
)
TOY = "gad_lightning.ToyActions"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts find what they share beside them, as they do when run."""
    monkeypatch.syspath_prepend(HOME)


def make(script: str, name: str, data: ToyActions) -> Any:
    """A baseline of its script."""
    spec = importlib.util.spec_from_file_location(f"baseline_{script}", HOME / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    made = getattr(module, name)(data.schema)
    torch.nn.init.normal_(made.head.weight)  # one of them begins at zero
    return made.eval()


def first(data: ToyActions) -> Batch:
    """One batch of the test split."""
    return next(iter(data.test_dataloader()))


@KINDS
@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_no_query_sees_a_later_frame(script: str, name: str, mode: Any) -> None:
    data = ToyActions(mode=mode, short_memory=6, batch_size=20)
    model, batch = make(script, name, data), first(data)
    with torch.no_grad():
        before = model(batch)
        later = torch.arange(batch.frames.shape[1]) > 10
        changed = batch.frames.clone()
        changed[:, later] += 1.0
        after = model(batch._replace(frames=changed))
    early = batch.anchor <= 10
    assert torch.allclose(before[early], after[early], atol=1e-5)
    assert bool(early.any())
    if mode == "one_pass":
        assert not torch.allclose(before[~early], after[~early], atol=1e-3)


@KINDS
def test_in_a_window_only_its_frames_count(script: str, name: str) -> None:
    data = ToyActions(short_memory=6, batch_size=64)
    model, batch = make(script, name, data), first(data)
    with torch.no_grad():
        together = model(batch)
        for row in (0, 3, 20):  # a window of its own, not padded to the longest
            count = int(batch.frame_counts[row])
            alone = Batch(
                *(part[row : row + 1] for part in batch[:5]),
                torch.zeros(1, dtype=torch.int64),
                *(p[row : row + 1] for p in batch[6:] if p is not None),
            )
            alone = alone._replace(frames=alone.frames[:, :count])
            assert torch.allclose(model(alone), together[row : row + 1], atol=1e-5)


@KINDS
def test_one_command_trains_tests_and_leaves_predictions(script: str, name: str, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    arguments = {"num_videos": 16, "mode": "one_pass", "chunk": 8}
    config.write_text(yaml.safe_dump({"model": {}, "data": {"class_path": TOY, "init_args": arguments}}))
    given = [f"--data={config}", "--window=6", "--seeds", "3", "--steps=60", "--steady", f"--output={tmp_path / 'out'}"]
    done = subprocess.run(
        [sys.executable, str(HOME / f"{script}.py"), *given], check=True, capture_output=True, text=True, cwd=ROOT
    )
    line = json.loads(done.stdout)
    assert (line["model"], line["seed"], line["window"]) == (script, 3, 6)
    assert line["test/top1"] > 0.6
    assert line["test/likeliest/accuracy"] == pytest.approx(line["test/top1"], abs=1e-3)
    assert (
        line["val/BestPath/segment_f1"] >= line["val/likeliest/segment_f1"] - 0.05
    )  # chosen there, without a switch too
    assert json.loads((tmp_path / "out" / "results.jsonl").read_text()) == line
    with (Path(line["predictions"]) / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = [row["label"] == row["truth"] for row in rows]
    assert sum(right) / len(right) == pytest.approx(line["test/top1"], abs=1e-6)
    assert len({row["video"] for row in rows}) == 4
