"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow everything on a shared machine
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may need the network

if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, by all that the tests start too

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and golden files that lies beside the repository."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared with real data and golden files is not there")
    return folder


@pytest.fixture(autouse=True)
def same_imports() -> Iterator[None]:
    """Put the places of imports back: the command line takes the working folder off, and `tests` lies there."""
    path, finders = sys.path[:], sys.meta_path[:]
    yield
    sys.path[:], sys.meta_path[:] = path, finders
