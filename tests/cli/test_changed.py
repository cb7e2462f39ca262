"""Which settings of two runs differ, and which of them make them two runs of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.cli.changed import changed, config_beside, is_other_run
from gad_lightning.errors import DataError

BEFORE = """
seed_everything: 0
model: {lr: 0.1, url: 'https://me:pw@host'}
data: {num_workers: 0, root: a}
trainer: {epochs: 1}
"""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A kept config."""
    path = tmp_path / "run" / "config.yaml"
    path.parent.mkdir()
    path.write_text(BEFORE)
    return path


def test_differences_are_named_without_secrets(before: Path) -> None:
    assert changed(before, BEFORE) == []
    now = BEFORE.replace("lr: 0.1", "lr: 0.2").replace("epochs: 1", "epochs: 2").replace("pw@host", "other@host2")
    assert changed(before, now) == [
        "model.lr: 0.1 -> 0.2",
        "model.url: https://***@host -> https://***@host2",
        "trainer.epochs: 1 -> 2",
    ]


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [("epochs: 1", "epochs: 2", False), ("num_workers: 0", "num_workers: 4", False), ("root: a", "root: b", True)],
)
def test_some_differences_make_another_run(before: Path, old: str, new: str, other: bool) -> None:
    (line,) = changed(before, BEFORE.replace(old, new))
    assert is_other_run(line) is other


def test_a_config_lies_beside_the_checkpoints_or_above_them(before: Path) -> None:
    root = before.parent
    for place in ("checkpoints/last.ckpt", "project/run1/checkpoints/last.ckpt"):
        assert config_beside(root / place, root) == before
    assert config_beside(root / "project" / "run1" / "checkpoints" / "last.ckpt") is None


def test_a_config_that_is_none_is_named(before: Path) -> None:
    before.write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match=r"config\.yaml is no config"):
        changed(before, BEFORE)
