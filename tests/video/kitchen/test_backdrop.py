"""The table: the same cook in all videos, and a card that tells the goal for a while."""

from __future__ import annotations

import numpy as np

from gad_lightning.video.kitchen.backdrop import Setting, set_up
from gad_lightning.video.kitchen.kitchen import VESSELS, Script, write_scripts

SCRIPT = write_scripts(4, seed=0, fps=4)[0]


def lay(script: Script = SCRIPT, seed: int = 0, chance: int = 0) -> Setting:
    """Lay the table for a video of 32 pixels."""
    return set_up(script, seed, np.random.default_rng(chance), 32)


def test_a_cook_looks_the_same_in_all_videos_of_a_kitchen() -> None:
    assert lay().cook == lay(chance=1).cook
    assert lay().cook != lay(SCRIPT._replace(cook=SCRIPT.cook + 1)).cook
    assert lay().cook != lay(seed=1).cook


def test_the_card_lies_on_the_table_and_differs_by_goal() -> None:
    goals = [SCRIPT._replace(goal=goal) for goal in VESSELS]
    changed = []
    for script in goals:
        setting = lay(script)
        assert setting.vessel == VESSELS[script.goal]
        assert setting.backdrop.size == (64, 64)
        changed.append(np.asarray(setting.with_card).astype(int) - np.asarray(setting.backdrop))
    assert all(change.any() for change in changed)
    assert len({change.tobytes() for change in changed}) == len(goals)
