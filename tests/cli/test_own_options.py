"""``--weights`` holds what is predicted with in fewer bits, and is refused where something is trained."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gad_lightning.cli import main
from gad_lightning.errors import SettingError
from tests.cli.runs import CONFIG


def test_what_trains_has_no_such_option(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", config, "--weights=int8"])
    assert "weights" in capsys.readouterr().err


def test_predict_with_light_weights_gives_nearly_the_same_scores(tmp_path: Path) -> None:
    (tmp_path / "gad.yaml").write_text(CONFIG.replace("hidden_size: 16", "hidden_size: 32"))
    scores = []
    for options in ([], ["--weights=int8"]):
        root = tmp_path / f"runs{len(options)}"
        main(["predict", f"--config={tmp_path}/gad.yaml", f"--trainer.default_root_dir={root}", *options])
        written = root / "ToyActions" / "GADClassifier" / "version_0" / "predictions" / "frames.csv"
        with written.open(newline="") as file:
            scores.append([float(row["score"]) for row in csv.DictReader(file)])
    exact, light = scores
    assert light != exact
    assert light == pytest.approx(exact, abs=0.02)


def test_a_model_too_narrow_for_the_kernels_is_told_so(fitted: Path, tmp_path: Path) -> None:
    kept = [f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    with pytest.raises(SettingError, match="weights is 'int4', and LlamaModel has no linear layer"):
        main(["test", *kept, f"--ckpt_path={fitted}/checkpoints/best.ckpt", "--weights=int4"])
