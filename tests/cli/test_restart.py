"""What ``--ckpt_path last`` goes on from: the last of this run, never another one's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lightning.pytorch.loggers.logger import DummyLogger

from gad_lightning.cli import main
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.training.checkpoint_reading import read_checkpoint


def steps_in(root: Path) -> dict[str, int]:
    """Steps of the last checkpoints, by folder."""
    found = sorted(root.rglob("last.ckpt"))
    return {str(path.parents[1].relative_to(root)): read_checkpoint(path)["global_step"] for path in found}


RUN = "runs/ToyActions/GADClassifier"


def test_every_seed_is_a_run_of_its_own_and_goes_on_by_itself(config: str, tmp_path: Path) -> None:
    again = ["fit", config, "--ckpt_path=last"]
    for seed in (0, 1):
        main([*again, f"--seed_everything={seed}", "--trainer.max_epochs=1"])
    (epoch,) = set(steps_in(tmp_path).values())
    assert steps_in(tmp_path) == {f"{RUN}/version_0": epoch, f"{RUN}/version_1": epoch}
    main([*again, "--seed_everything=0", "--trainer.max_epochs=3"])
    assert steps_in(tmp_path) == {f"{RUN}/version_0": 3 * epoch, f"{RUN}/version_1": epoch}
    main([*again, "--seed_everything=1", "--trainer.max_epochs=2"])
    assert steps_in(tmp_path) == {f"{RUN}/version_0": 3 * epoch, f"{RUN}/version_1": 2 * epoch}
    with pytest.raises(MissingDataError, match=r"no checkpoint of this data, classifier and seed \(7\) in runs"):
        main(["test", config, "--ckpt_path=last", "--seed_everything=7"])


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--model.init_args.optimizer.init_args.lr=0.5", r"optimizer\.init_args\.lr: 0\.01 -> 0\.5"),
        ("--data.short_memory=4", r"data\.init_args\.short_memory: 8 -> 4"),
    ],
)
def test_another_experiment_in_the_same_folder_is_refused(config: str, option: str, told: str) -> None:
    again = ["fit", config, "--ckpt_path=last", "--trainer.max_epochs=1"]
    main(again)
    told = rf"(?s)only of one with other settings, \S*last\.ckpt: .*{told}.*default_root_dir"
    with pytest.raises(SettingError, match=told):
        main([*again, option])
    main([*again, "--data.num_workers=0", "--data.eval_batch_size=3"])


def test_the_run_of_this_very_config_is_scored_although_a_later_one_lies_beside_it(config: str, tmp_path: Path) -> None:
    other = "--model.init_args.optimizer.init_args.lr=0.5"
    for option in ([], [other]):
        main(["fit", config, "--trainer.max_epochs=1", *option])
    main(["test", config, "--ckpt_path=last"])
    assert (tmp_path / RUN / "version_0" / "test").is_dir()
    assert not (tmp_path / RUN / "version_1" / "test").exists()
    shutil.rmtree(tmp_path / RUN / "version_0")
    with pytest.raises(SettingError, match=r"only of one with other settings, \S*last\.ckpt: .*lr: 0\.5 -> 0\.01"):
        main(["test", config, "--ckpt_path=last"])


def test_a_checkpoint_of_unknown_settings_is_no_start_of_this_run(config: str, tmp_path: Path) -> None:
    main(["fit", config, "--trainer.max_epochs=1"])
    (tmp_path / RUN / "version_0" / "config.yaml").unlink()
    with pytest.raises(SettingError, match=r"(?s)last\.ckpt: no config\.yaml lies beside it.*give --ckpt_path=PATH"):
        main(["fit", config, "--ckpt_path=last", "--trainer.max_epochs=2"])
    main(["test", config, "--ckpt_path=last"])  # the checkpoint itself is compared there


class PlainLogger(DummyLogger):
    """Keeps a run in a folder that is not numbered, as loggers of services do.

    Args:
        save_dir: its folder.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__()
        self.folder = save_dir

    @property
    def save_dir(self) -> str:
        """Where it writes."""
        return self.folder

    @property
    def name(self) -> str:
        """Of the project."""
        return "project"

    @property
    def version(self) -> str:
        """Of the run, drawn anew at each start."""
        return "run1"


@pytest.mark.parametrize(
    "logger",
    ["logger: false", "logger: {class_path: tests.cli.test_restart.PlainLogger, init_args: {save_dir: logs}}"],
)
def test_a_run_in_a_folder_without_a_number_goes_on_and_another_one_is_refused(
    logger: str, config: str, tmp_path: Path
) -> None:
    path = tmp_path / "gad.yaml"
    path.write_text(path.read_text().replace("trainer: {", f"trainer: {{{logger}, "))
    again = ["fit", config, "--ckpt_path=last"]
    main([*again, "--trainer.max_epochs=1"])
    main([*again, "--trainer.max_epochs=2"])
    (steps,) = steps_in(tmp_path).values()
    assert read_checkpoint(next(tmp_path.rglob("last.ckpt")))["epoch"] == 1
    with pytest.raises(SettingError, match=r"config\.yaml of another run, which differs: seed_everything: 0 -> 1"):
        main([*again, "--seed_everything=1"])
    assert set(steps_in(tmp_path).values()) == {steps}


def test_a_first_start_that_left_no_checkpoint_is_no_other_run(config: str, tmp_path: Path) -> None:
    again = ["fit", config, "--ckpt_path=last", "--trainer.logger=false", "--trainer.max_epochs=1"]
    main(again)
    for path in tmp_path.rglob("*.ckpt"):
        path.unlink()
    main(again)
    assert len(list(tmp_path.rglob("last.ckpt"))) == 1


def test_a_damaged_last_start_leads_to_the_start_before(config: str, tmp_path: Path) -> None:
    for _ in range(2):
        main(["fit", config, "--trainer.max_epochs=1"])
    for path in (tmp_path / RUN / "version_1").rglob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"Cut short or damaged: .*version_1.*Used instead: .*version_0"):
        main(["fit", config, "--ckpt_path=last", "--trainer.max_epochs=2"])
    assert read_checkpoint(tmp_path / RUN / "version_0" / "checkpoints" / "last.ckpt")["epoch"] == 1
