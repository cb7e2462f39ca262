"""Every verb is drawn, and moves; what is done to which material shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gad_lightning.video.kitchen.actions import VERBS, Pose
from gad_lightning.video.kitchen.kitchen import KITCHEN_CLASSES
from gad_lightning.video.kitchen.sketch import Cook, Sketch

START = Pose("bowl", (0.46, 0.66), None, (), Cook((200, 150, 120), (60, 60, 200)), "white powder", 0.5, 0.5, (0, 0), 1)


def drawn(verb: str, **pose: object) -> NDArray[np.uint8]:
    """A pose on an empty table."""
    picture = Image.new("RGB", (64, 64))
    VERBS[verb](Sketch(picture), START._replace(**pose))
    return np.asarray(picture)


def test_there_is_a_drawing_for_every_verb() -> None:
    assert {name.split()[0] for name in KITCHEN_CLASSES[1:]} | {"rest"} == set(VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_looks_different_and_moves(verb: str) -> None:
    others = [drawn(other, done=0.9) for other in VERBS if other != verb]
    assert all((drawn(verb, done=0.9) != other).any() for other in others)
    assert (drawn(verb, done=0.9, seconds=0.1) != drawn(verb, done=0.9, seconds=0.8)).any()


def test_what_is_poured_shows() -> None:
    assert (drawn("pour", material="white liquid") != drawn("pour", material="blue liquid")).any()
