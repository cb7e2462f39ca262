"""What a release wrote, every later one reads, and says the same of the same frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gad_lightning import __version__
from gad_lightning.classifiers.base import Classifier
from tests.legacy.make import HERE, KINDS, frames

RELEASES = sorted(path.parent for path in HERE.glob("*/scores.json"))
every_release = pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)


@every_release
@pytest.mark.filterwarnings("ignore:generative_first")
@pytest.mark.parametrize("name", KINDS)
def test_a_release_s_checkpoint_gives_its_scores(release: Path, name: str) -> None:
    expected = torch.tensor(json.loads((release / "scores.json").read_text())[name])
    for made in (
        Classifier.load_from_checkpoint(release / f"{name}.ckpt"),
        Classifier.from_pretrained(release / name),
    ):
        with torch.no_grad():
            found = made(frames())
        assert torch.allclose(found, expected, atol=1e-5)
        assert not torch.allclose(found[0], found[1], atol=0.1)  # it looks at the frames


def test_this_release_has_its_checkpoints() -> None:
    assert __version__ in {path.name for path in RELEASES}
