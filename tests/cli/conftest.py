"""Fixtures of the tests of the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gad_lightning.cli import main
from tests.cli.runs import CONFIG, OUTSIDE


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config in the working folder, which is empty otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gad.yaml").write_text(CONFIG)
    return "--config=gad.yaml"


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run."""
    home = tmp_path_factory.mktemp("home")
    (home / "gad.yaml").write_text(CONFIG)
    main(["fit", f"--config={home}/gad.yaml", f"--trainer.default_root_dir={home}/runs"])
    return home / "runs" / "ToyActions" / "GADClassifier" / "version_0"


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
