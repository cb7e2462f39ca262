"""The folder a command is started in: classes that the user names are found there, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_the_script_finds_classes_in_the_folder_it_is_started_in(config: str, tmp_path: Path) -> None:
    (tmp_path / "my_heads.py").write_text("from gad_lightning.heads.linear import LinearHead as MyHead\n")
    script = Path(sys.executable).with_name("gad-lightning")
    if not script.exists():
        pytest.skip("the package is not installed in this environment")
    words = ["fit", config, "--model.head=my_heads.MyHead", "--print_config"]
    done = subprocess.run([script, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
