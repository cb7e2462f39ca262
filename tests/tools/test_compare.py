"""`gad-lightning compare`: real runs in their own processes, tables from their predictions, and what can go wrong."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gad_lightning.cli import main
from gad_lightning.compare.runs import Run, Variant, run_all
from gad_lightning.compare.tables import score_run
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.results.standard import STANDARD
from gad_lightning.tools.compare import SMOKE

CONFIG = """
model:
  class_path: {classifier}
  init_args:
    backbone: {{class_path: gad_lightning.TinyBackbone, init_args: {{hidden_size: 16, num_layers: 1}}}}
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.01}}}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {{num_videos: 12, mode: one_pass, batch_size: 2}}
trainer: {{accelerator: cpu, max_epochs: 2}}
"""
METRICS = [metric.name for metric in STANDARD]


class Again(NamedTuple):
    """A comparison that is started a second time, with one run missing and a variant that cannot run."""

    folder: Path
    kept: int  # time of a result that was there
    status: object


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two configs, compared with two seeds, two training batches each."""
    folder = tmp_path_factory.mktemp("compared")
    for name in ("Discriminative", "GAD"):
        (folder / f"{name}.yaml").write_text(CONFIG.format(classifier=f"gad_lightning.{name}Classifier"))
    main([*words(folder), "--seeds=2", f"--output={folder}/out"])
    return folder


@pytest.fixture(scope="module")
def again(home: Path) -> Again:
    """The same with one seed."""
    output = home / "again"
    shutil.copytree(home / "out", output)
    shutil.rmtree(output / "Discriminative" / "0")
    kept = (output / "gad" / "0" / "result.json").stat().st_mtime_ns
    broken = f"broken:{home}/GAD.yaml+model.generation_weight=heavy"
    with pytest.raises(SystemExit) as stopped:
        main([*words(home, broken), "--seeds=1", f"--output={output}"])
    return Again(output, kept, stopped.value.code)


def words(home: Path, *more: str) -> list[str]:
    """The command and its configs."""
    given = [f"{home}/Discriminative.yaml", f"gad:{home}/GAD.yaml+model.backbone.seed={{seed}}", *more]
    return ["compare", *given, "--smoke=true"]


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_run_and_metric_has_a_row_and_the_table_has_every_variant(home: Path) -> None:
    rows = rows_of(home / "out" / "runs.csv")
    assert {(row["variant"], row["seed"]) for row in rows} == {(n, s) for n in ("Discriminative", "gad") for s in "01"}
    assert {row["metric"] for row in rows} >= {*METRICS, "fit_seconds", "frames_per_second"}
    found = rows_of(home / "out" / "differences.csv")
    assert {row["variant"] for row in found} == {"gad"}
    assert {row["metric"] for row in found} >= {*METRICS, "readiness", "false_alarms_per_hour"}
    assert "| gad | 2 |" in (home / "out" / "table.md").read_text()
    assert (home / "out" / "scores.png").stat().st_size > 1000


@pytest.mark.slow  # runs of three more processes, some 10 s of CPU each
def test_a_failed_run_loses_no_other_and_its_log_says_why(again: Again) -> None:
    assert again.status == 1
    table = (again.folder / "table.md").read_text()
    assert f"broken, seed 0: see `{again.folder}/broken/0/log.txt`" in table
    assert "| gad | 1 |" in table
    log = (again.folder / "broken" / "0" / "log.txt").read_text()
    assert log.startswith("$ ")
    assert "generation_weight" in log


def test_a_run_looks_like_any_other(home: Path) -> None:
    folder = home / "out" / "gad" / "1"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found >= {"config.yaml", "metrics.csv", "checkpoints/best.ckpt", "predictions/frames.csv", "result.json"}
    assert "seed: 1" in (folder / "config.yaml").read_text()  # {seed} in an override


def test_scores_are_those_of_the_test_command(home: Path, tmp_path: Path) -> None:
    folder = home / "out" / "gad" / "0"
    given = [f"--config={folder}/config.yaml", f"--ckpt_path={folder}/checkpoints/best.ckpt"]
    main(
        [
            "test",
            *given,
            "--trainer.logger=lightning.pytorch.loggers.CSVLogger",
            f"--trainer.logger.save_dir={tmp_path}",
        ]
    )
    (tested,) = [rows_of(path)[-1] for path in tmp_path.rglob("metrics.csv")]
    scored = score_run(Run(Variant("gad", home / "GAD.yaml"), 0, folder))
    for metric in METRICS:
        assert scored.score(metric) == pytest.approx(float(tested[f"test/{metric}"]), abs=1e-6)


@pytest.mark.slow  # runs of three more processes, some 10 s of CPU each
def test_what_is_finished_is_not_run_again_and_the_same_seed_gives_the_same_numbers(home: Path, again: Again) -> None:
    assert (again.folder / "gad" / "0" / "result.json").stat().st_mtime_ns == again.kept
    first, second = (
        [row for row in rows_of(folder / "runs.csv") if row["metric"] in METRICS and row["seed"] == "0"]
        for folder in (home / "out", again.folder)
    )
    assert len(first) == 6
    assert first == second


def test_a_changed_config_is_refused(home: Path) -> None:
    changed = f"gad:{home}/GAD.yaml+model.generation_weight=0.5"
    with pytest.raises(SettingError, match=r"is a finished run of another config .*\n.*--changed=rerun"):
        main(["compare", changed, "--seeds=2", f"--output={home}/out"])


def test_variants_of_one_name_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="Two variants are called 'a'"):
        main(["compare", f"a:{home}/GAD.yaml", f"a:{home}/Discriminative.yaml", f"--output={tmp_path}"])


@pytest.mark.parametrize(("name", "value"), [("seeds", "0"), ("margin", "0"), ("jobs", "-1")])
def test_a_setting_that_cannot_work_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"{name} must be above 0, got {value}.\n.*--{name}"):
        main(["compare", "any.yaml", f"--{name}={value}"])


def test_a_missing_config_is_named() -> None:
    with pytest.raises(MissingDataError, match=r"There is no config nowhere.yaml"):
        main(["compare", "mine:nowhere.yaml"])


def test_a_smoke_run_takes_two_batches(home: Path) -> None:
    assert json.loads((home / "out" / "gad" / "0" / "result.json").read_text())["steps"] == 2


def test_a_variant_may_read_the_checkpoints_of_another_in_another_way(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "out", tmp_path / "out")
    disc = Variant("Discriminative", home / "Discriminative.yaml", SMOKE)
    again = disc._replace(name="again", trained_as="Discriminative")
    missing = again._replace(name="missing", trained_as="nobody")
    runs = [Run(variant, 0, tmp_path / "out" / variant.folder / "0") for variant in (disc, again, missing)]
    assert run_all(runs, 1, 1, list[str]().append) == [runs[2]]
    assert "kept no checkpoint" in (runs[2].home / "log.txt").read_text()
    first, second = (score_run(run) for run in runs[:2])
    assert first.counts["top1"].tolist() == second.counts["top1"].tolist()
    assert not (runs[1].home / "checkpoints").exists()
    assert not runs[1].changed()
    job = json.loads((runs[0].home / "job.json").read_text())
    (runs[0].home / "job.json").write_text(json.dumps({**job, "overrides": ["another"]}))
    assert runs[1].changed(), "that checkpoint was asked for otherwise"
    (runs[1].home / "predictions/frames.csv").unlink()
    assert not runs[1].finished


@pytest.mark.slow  # a comparison in processes of its own, which is killed
def test_runs_end_with_the_comparison_that_is_killed(home: Path, tmp_path: Path) -> None:
    endless = f"{home}/GAD.yaml+trainer.max_epochs=100000"
    command = [sys.executable, "-m", "gad_lightning", "compare", endless, "--seeds=1", f"--output={tmp_path / 'out'}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        (log,) = wait_for(lambda: list(tmp_path.rglob("metrics.csv")))
        process.kill()
    (text,) = (path.read_text() for path in tmp_path.rglob("log.txt"))
    assert "exit status" not in text
    wait_for(lambda: log.stat().st_mtime < time.time() - 5)  # nobody writes it any more


def wait_for(found: Callable[[], Any], seconds: float = 120) -> Any:
    """Ask again until there is something."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
    return answer
