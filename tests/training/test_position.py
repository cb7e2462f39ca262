"""A place in a run is told to Lightning's loops so that they go on exactly there."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gad_lightning.training.position import LOOPS, Position

COUNT = dict.fromkeys(("ready", "started", "processed", "completed"), 0)
STATE: dict[str, Any] = {
    **{name: {"total": dict(COUNT), "current": dict(COUNT)} for name in LOOPS},
    "epoch_loop.state_dict": {"_batches_that_stepped": 0},
}


@pytest.mark.parametrize(
    ("place", "epochs_started", "batches", "validation_begun", "last"),
    [
        (Position(0, 0, 0, 0, True), 0, 0, 0, False),
        (Position(0, 2, 2, 2, True), 1, 2, 0, False),
        (Position(0, 5, 5, 5, False), 1, 5, 1, True),
        (Position(2, 0, 10, 10, True), 2, 5, 0, True),
    ],
)
def test_the_loops_are_told(
    place: Position, epochs_started: int, batches: int, validation_begun: int, last: bool
) -> None:
    before = copy.deepcopy(STATE)
    told = place.told_to(STATE, batches_per_epoch=5)
    assert before == STATE, "the checkpoint itself is left as it is"
    epochs, done, validation = (told[name] for name in LOOPS)
    assert (epochs["current"]["started"], epochs["current"]["completed"]) == (epochs_started, place.epoch)
    assert (done["total"]["processed"], done["current"]["processed"]) == (place.total_batches, batches)
    assert done["is_last_batch"] is last
    assert validation["current"]["started"] == validation_begun
