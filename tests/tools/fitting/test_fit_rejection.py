"""The command ``fit-rejection``: a run's checkpoint is written again, and says "unknown" wherever it is used."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gad_lightning.cli import main as command
from gad_lightning.errors import MissingDataError
from gad_lightning.tools.fitting.fit_rejection import main

RUN = (
    "fit",
    "--model=gad_lightning.DiscriminativeClassifier",
    "--model.backbone=gad_lightning.TinyBackbone",
    "--data=gad_lightning.ToyActions",
    "--data.mode=one_pass",
    "--trainer.max_epochs=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
)


@pytest.mark.slow
def test_a_run_is_told_to_reject_and_its_report_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command(list(RUN))
    run = Path("runs/ToyActions/DiscriminativeClassifier/version_0")
    chosen = "--score=gad_lightning.NeighborScore"
    command(["fit-rejection", str(run), chosen, "--kept=0.3", "--over_background=true"])
    made = run / "checkpoints" / "rejecting.ckpt"
    command(["predict", f"--config={run}/config.yaml", f"--ckpt_path={made}"])
    with (run / "predictions" / "frames.csv").open() as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert 0 < labels.count("unknown") < len(labels)
    with (run / "predictions" / "segments.csv").open() as file:
        assert any(row["label"] == "unknown" for row in csv.DictReader(file))
    command(["report", str(run)])
    assert ">unknown<" in (run / "report.html").read_text(encoding="utf-8")


def test_a_run_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="has no checkpoint"):
        main(tmp_path)
