"""Configs of earlier releases mean today what they meant then."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.cli.loading import load
from tests.legacy.make import HERE

EXPERIMENTS = HERE.parent.parent / "experiments"
CONFIGS = sorted(HERE.glob("*/configs/*.yaml"))


def today(config: Path) -> Path:
    """The same recipe in ``experiments``."""
    return next(path for path in EXPERIMENTS.glob("*/*.yaml") if f"{path.parent.name}_{path.name}" == config.name)


def holds(before: object, now: object) -> bool:
    """Whether all that one config says stands in another, which may say more."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and holds(value, now[name]) for name, value in before.items())
    return before == now


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_config_of_a_release_is_read_as_the_recipe_of_today(config: Path) -> None:
    before, now = (load(path.read_text(encoding="utf-8")) for path in (config, today(config)))
    assert holds(before, now)
    assert not holds(now, {**before, "trainer": {}})


def test_names_of_earlier_versions_are_put_under_those_of_today() -> None:
    assert load("context: gad_lightning.prompts.contexts.previous.Previous") == {
        "context": "gad_lightning.PreviousActions"
    }
    data = "{class_path: gad_lightning.data.toy.ToyActions, init_args: {window: 8, val_share: 0.2}}"
    assert load(data) == {
        "class_path": "gad_lightning.ToyActions",
        "init_args": {"short_memory": 8, "val_fraction": 0.2},
    }
    ours = "{class_path: my_package.Videos, init_args: {window: 8}}"
    assert load(ours) == {"class_path": "my_package.Videos", "init_args": {"window": 8}}
