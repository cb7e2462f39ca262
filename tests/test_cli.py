"""The command line: what runs leave behind, what a user's mistakes get, and that Ctrl-C ends cleanly."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gad_lightning.cli import STOPPED, main, overview, run, run_beside_sdk
from gad_lightning.errors import CheckpointError, GadError, MissingDataError, SettingError
from gad_lightning.training.checkpoint_files import read_checkpoint

CONFIG = """
model:
  class_path: gad_lightning.GADClassifier
  init_args:
    context: gad_lightning.PreviousActions
    backbone: {class_path: gad_lightning.TinyBackbone, init_args: {hidden_size: 16, num_layers: 1}}
    optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01}}
data: {class_path: gad_lightning.ToyActions, init_args: {num_videos: 4, short_memory: 8}}
trainer: {accelerator: cpu, max_epochs: 2, enable_progress_bar: false, enable_model_summary: false}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config in the working folder, which is empty otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gad.yaml").write_text(CONFIG)
    return "--config=gad.yaml"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run."""
    home = tmp_path_factory.mktemp("home")
    (home / "gad.yaml").write_text(CONFIG)
    main(["fit", f"--config={home}/gad.yaml", f"--trainer.default_root_dir={home}/runs"])
    return home / "runs" / "ToyActions" / "GADClassifier" / "version_0"


def values_of(folder: Path, name: str) -> list[float]:
    """Values of a metric in the log of a run."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def python(*args: str) -> subprocess.CompletedProcess[str]:
    """Run another interpreter."""
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False)


def test_help_and_the_list_of_tools_load_no_torch() -> None:
    done = python("-c", "import sys, gad_lightning.cli as c; c.main(['--help']); assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr
    assert all(f"\n  {name} " in done.stdout for name in ("fit", "validate", "test", "predict"))


def test_the_module_is_the_command_and_without_arguments_prints_help() -> None:
    done = python("-m", "gad_lightning")
    assert (done.returncode, done.stdout) == (0, overview())


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fti"])
    assert "there is no command 'fti'" in capsys.readouterr().err


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
        ("--data.short_memory=5000", SettingError, r"5000 frames .* max_positions is 2048"),
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


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="says what a machine without a GPU gets")
def test_a_gpu_config_on_a_machine_without_one_stops_with_the_reason(config: str) -> None:
    with pytest.raises(SettingError, match=r"accelerator is 'cuda', but .* (was built for CPUs only|finds no GPU)"):
        main(["fit", config, "--trainer.accelerator=cuda"])


def test_fit_begins_from_another_run_s_weights_but_a_resumed_one_from_its_own(fitted: Path, tmp_path: Path) -> None:
    best = fitted / "checkpoints" / "best.ckpt"
    kept = ["fit", f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    still = ["--model.init_args.optimizer.init_args.lr=0", "--trainer.max_epochs=1", "--seed_everything=5"]
    main([*kept, *still, f"--init_from={best}"])
    (found,) = tmp_path.rglob("last.ckpt")
    expected, weights = (read_checkpoint(path)["state_dict"] for path in (best, found))
    assert all(torch.equal(weights[name], weight) for name, weight in expected.items())
    main([*kept, *still, "--init_from=/nowhere", "--ckpt_path=last"])
    with pytest.raises(MissingDataError, match="/nowhere"):
        main([*kept, "--init_from=/nowhere"])


def test_a_run_that_goes_on_with_other_settings_says_which(fitted: Path, tmp_path: Path) -> None:
    shutil.copytree(fitted, tmp_path / "ToyActions" / "GADClassifier" / "version_0")
    again = ["fit", f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}", "--ckpt_path=last"]
    with pytest.warns(UserWarning, match="was made with other settings") as warned:
        main([*again, "--trainer.max_epochs=3", "--model.init_args.optimizer.init_args.lr=0.02"])
    (told,) = (str(one.message) for one in warned if "other settings" in str(one.message))
    last = max((tmp_path / "ToyActions").rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
    assert read_checkpoint(last)["optimizer_states"][0]["param_groups"][0]["initial_lr"] == 0.01
    assert told.endswith(
        f"model.init_args.optimizer.init_args.lr: 0.01 -> 0.02; "
        f"trainer.default_root_dir: {fitted.parents[2]} -> {tmp_path}; trainer.max_epochs: 2 -> 3. "
        "The optimizer goes on with its own."
    )


def test_a_checkpoint_of_another_head_is_refused(fitted: Path, tmp_path: Path) -> None:
    kept = [f"--config={fitted}/config.yaml", f"--trainer.default_root_dir={tmp_path}"]
    with pytest.raises(CheckpointError, match="another head"):
        main(
            ["test", *kept, f"--ckpt_path={fitted}/checkpoints/best.ckpt", "--model.head=gad_lightning.VocabularyHead"]
        )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fit", "--config=none.yaml"], "File does not exist"),
        (["fit"], "required: fit.data, fit.model"),
        (["fit", "--config=gad.yaml", "--model.background_weight=heavy"], "Got value: heavy"),
        (["fit", "--config=gad.yaml", "--model.heads=2"], "Option 'heads' is not accepted"),
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


def test_an_error_of_the_user_leaves_no_traceback(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gad-lightning", "fit", config, "--data.short_memory=0"])
    with pytest.raises(
        SystemExit, match=r"^SettingError: data\.short_memory .*got 0\.\nTo fix it: raise data\.short_memory$"
    ):
        run()


def test_a_run_never_overwrites_the_config_of_another(config: str) -> None:
    main(["fit", config, "--trainer.logger=false"])
    with pytest.raises(SettingError, match=r"runs already has the config\.yaml of another run"):
        main(["fit", config, "--trainer.logger=false"])


OUTSIDE = '''
from lightning.pytorch import Callback
from gad_lightning import LinearHead
from gad_lightning.data.toy import ToyActions

class WideHead(LinearHead):
    """A head of another package."""

class MyVideos(ToyActions):
    """A data set of another package."""

class CtrlC(Callback):
    """Stands for a user who has seen enough."""

    def on_train_batch_start(self, *args):
        raise KeyboardInterrupt
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the user's own."""
    (tmp_path / "my_package.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def ctrl_c_restored() -> Iterator[None]:
    """Lightning makes a process deaf to further Ctrl-C while it shuts down."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("outside")
def test_parts_of_another_package_work_by_one_line_each(config: str, tmp_path: Path) -> None:
    main(["fit", config, "--model.head=my_package.WideHead", "--data=my_package.MyVideos"])
    run_folder = tmp_path / "runs" / "MyVideos" / "GADClassifier" / "version_0"
    assert "my_package.WideHead" in (run_folder / "config.yaml").read_text()


def test_the_script_finds_classes_in_the_folder_it_is_started_in(config: str, tmp_path: Path) -> None:
    (tmp_path / "my_heads.py").write_text("from gad_lightning.heads.linear import LinearHead as MyHead\n")
    script = Path(sys.executable).with_name("gad-lightning")
    if not script.exists():
        pytest.skip("the package is not installed in this environment")
    words = ["fit", config, "--model.head=my_heads.MyHead", "--print_config"]
    done = subprocess.run([script, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("outside", "ctrl_c_restored")
def test_ctrl_c_ends_with_130(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gad-lightning", "fit", config, "--trainer.callbacks=my_package.CtrlC"])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == STOPPED


def test_constants_and_the_environment_can_be_used_in_a_config(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_RUNS", str(tmp_path / "elsewhere"))
    (tmp_path / "gad.yaml").write_text(CONFIG.replace("max_epochs: 2", 'default_root_dir: "${oc.env:MY_RUNS}"'))
    with pytest.raises(SystemExit, match="0"):
        main(["fit", config, "--print_config"])
    assert f"default_root_dir: {tmp_path}/elsewhere" in capsys.readouterr().out


def test_the_lightning_script_hands_on_what_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = tmp_path / "stand_in-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[console_scripts]\nlightning = stand_in:main\n")
    (tmp_path / "stand_in.py").write_text("def main():\n    raise SystemExit('the other one')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["lightning", "login"])
    with pytest.raises(SystemExit, match="the other one"):
        run_beside_sdk()
    monkeypatch.setattr(sys, "argv", ["lightning"])
    run_beside_sdk()
    assert capsys.readouterr().out == overview()
