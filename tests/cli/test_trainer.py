"""Runs: what they leave behind, what a mistake in their settings gets, and how they go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gad_lightning.cli import main
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError, GadError, MissingDataError, SettingError
from gad_lightning.results.predictions import read_predictions
from gad_lightning.training.checkpoint_files import read_checkpoint
from tests.cli.runs import python, values_of

TEXTED = """
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args:
    head: gad_lightning.TextHead
    backbone: {{class_path: gad_lightning.TinyBackbone, init_args: {{hidden_size: 16, num_layers: 1, lora: {{r: 2}}}}}}
data: {{class_path: gad_lightning.ToyActions, init_args: {{mode: one_pass}}}}
trainer: {{accelerator: cpu, max_epochs: 1, enable_progress_bar: false, default_root_dir: {root}}}
"""


def test_fit_keeps_config_metrics_the_best_checkpoint_and_the_last(fitted: Path) -> None:
    assert sorted(path.name for path in fitted.rglob("*.*")) == ["best.ckpt", "config.yaml", "last.ckpt", "metrics.csv"]


def test_the_kept_config_scores_the_checkpoint_as_its_run_did(fitted: Path, tmp_path: Path) -> None:
    kept = [f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    main(["validate", *kept, f"--ckpt_path={fitted}/checkpoints/best.ckpt"])
    (again,) = values_of(tmp_path / "ToyActions" / "GADClassifier" / "version_0", "val/segment_f1")
    assert again == pytest.approx(max(values_of(fitted, "val/segment_f1")))


def test_the_kept_config_trains_the_same_weights_again(fitted: Path, tmp_path: Path) -> None:
    main(["fit", f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"])
    again = values_of(tmp_path / "ToyActions" / "GADClassifier" / "version_0", "val/top1")
    assert again == values_of(fitted, "val/top1")


def test_predict_writes_frames_and_segments_beside_its_config(fitted: Path, tmp_path: Path) -> None:
    kept = [f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    main(["predict", *kept, f"--ckpt_path={fitted}/checkpoints/best.ckpt"])
    written = tmp_path / "ToyActions" / "GADClassifier" / "version_0"
    assert {path.name for path in written.iterdir()} == {"config.yaml", "predictions"}
    assert (
        (written / "predictions" / "frames.csv").read_text().startswith("video,task,frame,seconds,label,score,truth\n")
    )


@pytest.mark.slow  # two further processes load torch
def test_two_processes_predict_what_one_does(fitted: Path, tmp_path: Path) -> None:
    command = ["predict", f"--config={fitted}/config.yaml", f"--ckpt_path={fitted}/checkpoints/best.ckpt"]
    main([*command, f"--trainer.default_root_dir={tmp_path}/one"])
    two = [f"--trainer.default_root_dir={tmp_path}/two", "--trainer.devices=2", "--trainer.strategy=ddp"]
    done = python("-m", "gad_lightning", *command, *two)
    assert done.returncode == 0, done.stderr
    texts = [(next((tmp_path / home).rglob("segments.csv"))).read_text() for home in ("one", "two")]
    assert texts[0] == texts[1]
    assert not list(tmp_path.rglob("parts"))


def test_without_validation_videos_the_final_weights_are_kept(config: str, tmp_path: Path) -> None:
    main(["fit", config, "--trainer.limit_val_batches=0"])
    assert {path.name for path in tmp_path.rglob("*.ckpt")} == {"final.ckpt", "last.ckpt"}


@pytest.mark.parametrize(
    ("option", "kind", "message"),
    [
        ("--data.short_memory=0", SettingError, r"data\.short_memory counts frames and must be at least 1, got 0"),
        ("--data.short_memory=5000", SettingError, r"5019 positions; the language model's max_positions is 2048"),
        ("--model.background_weight=-1", SettingError, r"background_weight must be at least 0, got -1"),
        ("--trainer.default_root_dir=/dev/null/runs", SettingError, r"folder /dev/null/runs cannot be made"),
        ("--trainer.max_epochs=-1", SettingError, r"schedule of the learning rate needs a run that ends"),
        ("--trainer.strategy=nope", SettingError, r"invalid strategy name: .*'nope'"),
        ("--ckpt_path=none.ckpt", MissingDataError, r"No checkpoint at none\.ckpt"),
        ("--ckpt_path=gad.yaml", CheckpointError, r"gad\.yaml is damaged"),
    ],
)
def test_mistakes_are_told_plainly(config: str, option: str, kind: type[GadError], message: str) -> None:
    with pytest.raises(kind, match=rf"(?s){message}.*To fix it: "):
        main(["fit", config, option])


def test_fit_begins_from_another_run_s_weights_but_a_resumed_one_from_its_own(fitted: Path, tmp_path: Path) -> None:
    best = fitted / "checkpoints" / "best.ckpt"
    kept = ["fit", f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    still = ["--model.init_args.optimizer.init_args.lr=0", "--trainer.max_epochs=1", "--seed_everything=5"]
    main([*kept, *still, f"--init_from={best}"])
    (found,) = tmp_path.rglob("last.ckpt")
    expected, weights = (read_checkpoint(path)["state_dict"] for path in (best, found))
    assert all(torch.equal(weights[name], weight) for name, weight in expected.items())
    moved = tmp_path / "moved.ckpt"
    shutil.copy(best, moved)
    again = [*kept, *still, f"--init_from={moved}", "--ckpt_path=last", f"--trainer.default_root_dir={tmp_path}/again"]
    main(again)
    moved.unlink()
    main(again)
    with pytest.raises(MissingDataError, match="/nowhere"):
        main([*kept, "--init_from=/nowhere"])


def test_a_checkpoint_of_another_head_is_refused(fitted: Path, tmp_path: Path) -> None:
    kept = [f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    with pytest.raises(CheckpointError, match=r"head is .*LinearHead. in the checkpoint and .*VocabularyHead. here"):
        main(
            ["test", *kept, f"--ckpt_path={fitted}/checkpoints/best.ckpt", "--model.head=gad_lightning.VocabularyHead"]
        )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fit", "--config=none.yaml"], "File does not exist"),
        (["fit"], "required: fit.data, fit.model"),
        (
            ["fit", "--config=gad.yaml", "--model.background_weight=heavy"],
            "model.background_weight is 'heavy': a number is accepted",
        ),
        (["fit", "--config=gad.yaml", "--model.heads=2"], "Did you mean model.head?"),
    ],
)
def test_options_that_cannot_be_parsed(
    config: str, args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(args)
    told = capsys.readouterr().err
    assert message in told
    assert "usage:" not in told


@pytest.mark.usefixtures("outside")
def test_parts_of_another_package_work_by_one_line_each(config: str, tmp_path: Path) -> None:
    main(["fit", config, "--model.head=my_package.WideHead", "--data=my_package.MyVideos"])
    run_folder = tmp_path / "runs" / "MyVideos" / "GADClassifier" / "version_0"
    assert "my_package.WideHead" in (run_folder / "config.yaml").read_text()


def test_a_run_that_goes_on_with_other_settings_says_which_and_writes_to_its_own_folder(
    fitted: Path, tmp_path: Path
) -> None:
    before = tmp_path / "ToyActions" / "GADClassifier" / "version_0"
    shutil.copytree(fitted, before)
    last = before / "checkpoints" / "last.ckpt"
    content = last.read_bytes()
    again = ["fit", f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}", f"--ckpt_path={last}"]
    with pytest.warns(UserWarning, match="was made with other settings") as warned:
        main([*again, "--trainer.max_epochs=3", "--model.init_args.optimizer.init_args.lr=0.02"])
    (told,) = (str(one.message) for one in warned if "other settings" in str(one.message))
    made = before.with_name("version_1") / "checkpoints" / "last.ckpt"
    assert read_checkpoint(made)["optimizer_states"][0]["param_groups"][0]["initial_lr"] == 0.01
    assert last.read_bytes() == content
    assert told.endswith(
        f"model.init_args.optimizer.init_args.lr: 0.01 -> 0.02; "
        f"trainer.default_root_dir: {fitted.parents[2]} -> {tmp_path}; trainer.max_epochs: 2 -> 3. "
        "The optimizer goes on with its own."
    )


def test_a_checkpoint_with_added_classes_is_scored_on_data_that_has_them(tmp_path: Path) -> None:
    config = tmp_path / "toy.yaml"
    config.write_text(TEXTED.format(root=tmp_path))
    main(["fit", f"--config={config}", "--data.unknown_classes=[add salt, pour water]"])
    best = next(tmp_path.rglob("best.ckpt"))
    more = best.with_name("more.ckpt")
    (tmp_path / "new.csv").write_text("label,text\npour water,pour water\nadd salt,add salt\n")
    main(["add-classes", str(best), str(more), f"--texts={tmp_path / 'new.csv'}"])
    values = []
    for number, held in enumerate(("[add salt, pour water]", "null")):
        root = tmp_path / str(number)
        words = (f"--data.unknown_classes={held}", f"--ckpt_path={more}", f"--trainer.default_root_dir={root}")
        main(["test", f"--config={config}", *words])
        values += values_of(next(root.rglob("metrics.csv")).parent, "test/top1")
    assert values[0] == values[1]
    main(["predict", f"--config={config}", f"--ckpt_path={more}"])
    _, (found,) = read_predictions(next(tmp_path.rglob("frames.csv")).parent)
    names, data = found.task.labels.names, ToyActions(mode="one_pass")
    assert names[-2:] == ("pour water", "add salt")
    true = np.concatenate([laid.queries.label for laid in data.dataset("test").timelines])
    assert [names[label] for label in found.truth] == [data.class_names[label] for label in true]
