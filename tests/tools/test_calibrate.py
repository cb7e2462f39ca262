"""`gad-lightning calibrate` prints what decisions cost and writes them into a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main
from gad_lightning.decisions.best_path import BestPath
from gad_lightning.decisions.steady import SteadyLabels, SwitchCost
from gad_lightning.decisions.thresholds import AlarmThresholds
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.streaming.detector import OnlineDetector

CONFIG = """
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args: {backbone: {class_path: gad_lightning.TinyBackbone, init_args: {hidden_size: 16, num_layers: 1}}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {num_videos: 40, mode: one_pass, short_memory: 4, chunk: 32}
trainer: {max_epochs: 2, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""
STATED = ["--false_alarms_per_hour=400", "--absent=pool", "--min_seconds=0.5", "--error=0.2"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a small run."""
    home = tmp_path_factory.mktemp("calibrate")
    (home / "run.yaml").write_text(CONFIG)
    main(["fit", "--config", str(home / "run.yaml"), "--trainer.default_root_dir", str(home)])
    return next(path for path in home.rglob("*.ckpt") if path.name.startswith("best"))


def test_it_prints_the_cost_of_every_class_and_writes_another_checkpoint(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = checkpoint.read_bytes()
    main(["calibrate", f"--ckpt_path={checkpoint}", *STATED])
    printed = capsys.readouterr().out
    made = Classifier.load_from_checkpoint(checkpoint.with_name("calibrated.ckpt")).decisions_of(0)
    assert made is not None
    assert isinstance(made.thresholds, AlarmThresholds)
    assert (made.thresholds.rate, made.frames) == (400.0, 2)
    assert made.sets is not None
    assert str(made.fitted_on) in printed
    assert "once it has lasted 2 frames" in printed
    assert "a label set has the classes of a probability of" in printed
    assert printed.index("false alarms/h") < printed.index("calibrated.ckpt")
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("option", ["run", "config"])
def test_the_data_may_come_from_another_config(checkpoint: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "more.yaml").write_text(CONFIG.replace("num_videos: 40", "num_videos: 60"))
    target = tmp_path / "out.ckpt"
    main(
        [
            "calibrate",
            f"--ckpt_path={checkpoint}",
            f"--{option}={tmp_path / 'more.yaml'}",
            f"--output={target}",
            *STATED,
        ]
    )
    made = Classifier.load_from_checkpoint(target).decisions_of(0)
    assert made is not None
    assert made.fitted_on is not None
    assert made.fitted_on.videos == 15


def test_a_config_that_is_missing_or_has_no_data_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("model: null\n")
    for name, message in (
        ("empty", "empty.yaml has no config.yaml with data"),
        ("none", "no run or config .*none.yaml"),
    ):
        with pytest.raises(MissingDataError, match=message):
            main(["calibrate", f"--ckpt_path={checkpoint}", f"--config={tmp_path / name}.yaml", *STATED])


def test_the_output_is_another_file_and_a_lone_checkpoint_is_told_to_name_its_config(
    checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="choose another output"):
        main(["calibrate", f"--ckpt_path={checkpoint}", f"--output={checkpoint}"])
    (tmp_path / "alone.ckpt").write_bytes(checkpoint.read_bytes())
    with pytest.raises(MissingDataError, match=r"has no config\.yaml with data") as refused:
        main(["calibrate", f"--ckpt_path={tmp_path / 'alone.ckpt'}"])
    assert "--config" in str(refused.value)


@pytest.mark.parametrize(("by", "kind"), [("switch_cost", SwitchCost), ("best_path", BestPath)])
def test_labels_can_be_steady_in_place_of_alarms(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str, kind: type[SteadyLabels]
) -> None:
    target = tmp_path / "steady.ckpt"
    main(["calibrate", f"--ckpt_path={checkpoint}", f"--by={by}", f"--output={target}"])
    assert "with steady labels" in capsys.readouterr().out
    classifier = Classifier.load_from_checkpoint(target)
    made = classifier.decisions_of(0)
    assert made is not None
    assert made.fitted_on is not None
    assert made.fitted_on.steadiness is not None
    assert isinstance(made.steady, kind)
    assert made.thresholds is None
    if made.steady.looks_ahead:
        with pytest.raises(SettingError, match="look ahead"):
            OnlineDetector(classifier)
    else:
        assert made.fitted_on.steadiness.segment_f1 >= made.fitted_on.steadiness.segment_f1_before  # 0 nats is tried
        frames = torch.randn(60, classifier.schema.features.width, generator=torch.Generator().manual_seed(0))
        detector = OnlineDetector(classifier)
        steps = [detector.decide(detector.push(frame))[0] for frame in frames]
        live = sorted([one for step in steps for one in step.ended] + detector.restart()[0])
        offline = classifier.detect(frames).segments
        fps = classifier.schema.features.fps
        stretches = sorted((one.start_seconds, one.end_seconds) for one in offline)
        assert [(one.start / fps, one.end / fps) for one in live] == stretches


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--false_alarms_per_hour=0"], SettingError, "above 0, got 0"),
        ([], DataError, "needs 3 hours of labeled video"),
        (["--missed=0.01", "--by=best_path"], SettingError, "--by is best_path"),
        (["--false_alarms_per_hour=5", "--by=switch_cost"], SettingError, "--by is switch_cost"),
        (["--missed=0.1", "--false_alarms_per_hour=5"], SettingError, "two promises for one threshold"),
        (["--missed=0.01"], DataError, r"level of 0\.01 .* needs 99 videos or more, got 10"),
        (["--task=dish", *STATED], SettingError, "There is no task 'dish'; the classifier has action"),
    ],
)
def test_what_cannot_be_fitted_is_refused_and_nothing_is_written(
    checkpoint: Path, tmp_path: Path, options: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        main(["calibrate", f"--ckpt_path={checkpoint}", f"--output={tmp_path / 'out.ckpt'}", *options])
    assert not (tmp_path / "out.ckpt").exists()
