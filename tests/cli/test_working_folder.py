"""The folder a command is started in: classes that the user names are found there, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runs import CONFIG

MARK = "open({!r}, 'w').write('code ran')\n"
OURS = Path(__file__).resolve().parents[2] / "src"


def gad_lightning(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as a user does."""
    environment = {**os.environ, "PYTHONPATH": str(OURS)}
    command = [sys.executable, "-m", "gad_lightning", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A data folder whose files have the names of optional packages, and a harmless one that has such a folder."""
    for name in ("brotli", "orjson", "socks", "tabulate", "simplejson"):
        (tmp_path / f"{name}.py").write_text(MARK.format(str(tmp_path / "ran")))
    for name in ("triton", "torchvision"):
        (tmp_path / name).mkdir()
    (tmp_path / "gad.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    "words", [("--help",), ("check-data", "--help"), ("fit", "--config=gad.yaml", "--print_config")]
)
def test_files_beside_the_data_are_never_run(hostile: Path, words: tuple[str, ...]) -> None:
    done = gad_lightning(hostile, *words)
    assert done.returncode == 0, done.stderr
    assert not (hostile / "ran").exists()


@pytest.mark.slow  # a whole run in a process of its own
def test_a_run_among_folders_with_the_names_of_packages(hostile: Path) -> None:
    done = gad_lightning(hostile, "fit", "--config=gad.yaml", "--trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    assert not (hostile / "ran").exists()


def test_a_class_that_the_command_names_is_found_with_what_it_imports(hostile: Path) -> None:
    (hostile / "my_heads.py").write_text("from my_base import Base\n\nclass MyHead(Base):\n    pass\n")
    (hostile / "my_base.py").write_text("from gad_lightning import LinearHead as Base\n")
    done = gad_lightning(hostile, "fit", "--config=gad.yaml", "--model.head=my_heads.MyHead", "--print_config")
    assert done.returncode == 0, done.stderr
    assert "my_heads.MyHead" in done.stdout
    assert not (hostile / "ran").exists()


@pytest.mark.slow  # as above
def test_a_class_that_the_config_names_is_found_in_a_package_without_init(hostile: Path) -> None:
    (hostile / "my_package").mkdir()
    (hostile / "my_package" / "heads.py").write_text("from gad_lightning import LinearHead\nMyHead = LinearHead\n")
    config = CONFIG.replace("context:", "head: my_package.heads.MyHead\n    context:")
    (hostile / "gad.yaml").write_text(config)
    done = gad_lightning(hostile, "fit", "--config=gad.yaml", "--print_config")
    assert done.returncode == 0, done.stderr


def test_report_imports_nothing_that_a_run_names_unless_it_is_allowed(hostile: Path) -> None:
    run = hostile / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text("data: {class_path: brotli.Data, init_args: {}}\n")
    (run / "checkpoints" / "best.ckpt").write_bytes(b"")
    done = gad_lightning(hostile, "report", "run")
    assert "names brotli.Data, and only gad_lightning may be imported" in done.stderr
    assert "--allowed=[brotli]" in done.stderr
    assert not (hostile / "ran").exists()


def test_what_pythonpath_names_is_found_as_ever(tmp_path: Path) -> None:
    (tmp_path / "gad.yaml").write_text(CONFIG)
    (tmp_path / "sitecustom.py").write_text("")
    code = "import sys; sys.argv[1:] = ['--version']; from gad_lightning.cli import run; run(); import sitecustom"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(OURS), str(tmp_path)])}
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    environment["PYTHONPATH"] = str(OURS)
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stderr
    assert "No module named 'sitecustom'" in told
