"""What a run says before and after, and where its evaluation lies."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from gad_lightning.cli import main
from gad_lightning.cli.summary import PlainSummary


def test_parts_and_sizes_are_said_and_nothing_that_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    data = [("", ["0"]), ("Name", ["head"]), ("Type", ["LinearHead"]), ("Params", ["1.2 K"])]
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addHandler(caplog.handler)  # Lightning's logger hands nothing on to the root, if a test before set it up
    with caplog.at_level("INFO", logger=logger.name):
        PlainSummary.summarize(data, 2000, 1200, 0.01, {"train": 441, "eval": 0}, 0)
    logger.removeHandler(caplog.handler)
    assert "1,200 of 2,000 parameters are trained" in caplog.text
    assert "LinearHead" in caplog.text
    assert "FLOPs" not in caplog.text
    assert "441" not in caplog.text


def test_a_run_says_its_parts_without_lightnings_remarks(config: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addHandler(caplog.handler)
    with caplog.at_level("INFO", logger=logger.name):
        main(["fit", config, "--trainer.enable_model_summary=true", "--trainer.fast_dev_run=true"])
    logger.removeHandler(caplog.handler)
    assert "parameters are trained" in caplog.text
    assert "Trainer already configured" not in caplog.text
    assert "weights_only" not in caplog.text


def test_a_run_is_tested_and_predicted_in_its_own_folder(fitted: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "ToyActions" / "GADClassifier" / "version_0"
    shutil.copytree(fitted, run)
    for _ in range(2):
        given = [f"--config={run}/config.yaml", f"--ckpt_path={run}/checkpoints/best.ckpt"]
        for command in ("test", "predict"):
            main([command, *given, f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    assert [path.name for path in run.parent.iterdir()] == ["version_0"]
    assert "test/segment_f1" in (run / "test" / "metrics.csv").read_text()
    assert (run / "predictions" / "frames.csv").is_file()
    assert "val/segment_f1" in (run / "metrics.csv").read_text()


def test_an_evaluation_on_other_data_has_a_folder_of_its_own(fitted: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "ToyActions" / "GADClassifier" / "version_0"
    shutil.copytree(fitted, run)
    given = [f"--config={run}/config.yaml", f"--ckpt_path={run}/checkpoints/best.ckpt", "--data.num_videos=9"]
    main(["predict", *given, f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    assert not (run / "predictions").exists()
    assert (run.with_name("version_1") / "predictions" / "frames.csv").is_file()
