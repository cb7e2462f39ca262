"""The command ``choose-context``: a table and the lines to take, from one run; bad runs are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gad_lightning.classifiers.choosing_context import ranking
from gad_lightning.cli import main as command
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.results.context_table import read_contexts
from gad_lightning.tools.choose_context import main

RUNS = Path("runs/ToyActions")


def fit(kind: str, videos: int = 40) -> Path:
    """Train for one epoch."""
    model = [f"--model=gad_lightning.{kind}", "--model.backbone=gad_lightning.TinyBackbone"]
    data = ["--data=gad_lightning.ToyActions", "--data.mode=one_pass", f"--data.num_videos={videos}"]
    trainer = ["--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    command(["fit", *model, *data, *trainer])
    return RUNS / kind / "version_0"


@pytest.mark.slow
def test_a_run_of_disc_gets_a_table_lines_to_take_and_a_section_of_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ranking, "MOMENTS", 200)
    run = fit("DiscriminativeClassifier")
    capsys.readouterr()
    command(["choose-context", str(run), "--contexts=[gad_lightning.PreviousActions]"])
    shown = capsys.readouterr().out
    table = read_contexts(run)
    assert table is not None
    assert table.videos == 10
    assert all(row.name in shown for row in table.rows)
    lines = shown.partition("The config of GAD:\n")[2].partition("\n" + str(run))[0]
    assert yaml.safe_load(lines)["model"]["init_args"]["context"]["class_path"].startswith("gad_lightning.")
    (tmp_path / "context.yaml").write_text(lines)
    with pytest.raises(SystemExit):
        command(["fit", f"--config={run / 'config.yaml'}", "--config=context.yaml", "--print_config"])
    made = yaml.safe_load(capsys.readouterr().out)["model"]
    assert made["class_path"] == "gad_lightning.GADClassifier"
    assert made["init_args"]["context"] == yaml.safe_load(lines)["model"]["init_args"]["context"]
    assert made["init_args"]["backbone"]["class_path"] == "gad_lightning.TinyBackbone"
    command(["report", str(run)])
    assert "What GAD could write" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_runs_that_cannot_be_ranked_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="is a run of GenerativeClassifier, which reads no class off a slot"):
        main(fit("GenerativeClassifier"))
    few = fit("DiscriminativeClassifier", videos=12)
    with pytest.raises(DataError, match="has 3 videos, and contexts are ranked on at least 10"):
        main(few)
    with pytest.raises(SettingError, match="There is no task 'verb'; the classifier has action"):
        main(few, task="verb")


def test_a_run_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="has no checkpoint"):
        main(tmp_path)
