"""The library on a device that is not the CPU: an emulated one, as no GPU is at hand where these tests run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulated.device import build

ROOT = Path(__file__).resolve().parents[2]
COMPILER = shutil.which("c++")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled device."""
    assert COMPILER is not None
    return build(COMPILER, tmp_path_factory.mktemp("device"))


@pytest.mark.slow  # compiles C++
@pytest.mark.skipif(COMPILER is None, reason="the device is written in C++, and there is no compiler")
@pytest.mark.parametrize("check", ["training", "evaluation", "streams"])
def test_a_device_of_its_own_gives_what_the_cpu_gives(check: str, library: Path) -> None:
    command = [sys.executable, "-m", "tests.emulated.checks", str(library), check]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
