"""The kitchen of the rendered videos: goals, recipes, classes, and a script of who does what when. No pixels.

Several ingredients look exactly alike (sugar, salt and flour; milk and cream; tea and coffee; apple and tomato): only
the goal and the actions before tell them apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RECIPES: dict[str, tuple[str, ...]] = {
    "make tea": ("pour water", "add tea", "stir tea", "add sugar?", "stir sugar?", "pour milk"),
    "make coffee": ("pour water", "add coffee", "stir coffee", "add sugar?", "stir sugar?", "pour cream"),
    "make pancakes": ("add flour", "add sugar", "stir sugar?", "add egg", "pour milk", "stir batter"),
    "bake bread": ("add flour", "add salt", "stir salt?", "pour water", "pour oil?", "stir dough"),
    "cook soup": ("wash carrot?", "cut carrot", "add carrot", "add salt", "stir salt?", "pour water", "stir soup"),
    "cook jam": ("wash apple?", "cut apple", "add apple", "add sugar", "stir sugar?", "pour water", "stir jam"),
    "make salad": ("wash tomato?", "cut tomato", "add tomato", "add salt", "pour oil", "stir salad"),
}
"""Steps of each goal in order; one that ends in ``?`` is sometimes left out."""

KITCHEN_GOALS: tuple[str, ...] = tuple(RECIPES)
KITCHEN_CLASSES: tuple[str, ...] = (
    "background",
    *sorted({step.rstrip("?") for steps in RECIPES.values() for step in steps}),
)
"""Background first, then verb and object of every step."""

VESSELS: dict[str, str] = {
    "make tea": "cup",
    "make coffee": "cup",
    "make pancakes": "bowl",
    "bake bread": "bowl",
    "cook soup": "pot",
    "cook jam": "pot",
    "make salad": "bowl",
}
"""What stands on the table."""

MATERIALS: dict[str, str] = {
    "sugar": "white powder",
    "salt": "white powder",
    "flour": "white powder",
    "tea": "brown powder",
    "coffee": "brown powder",
    "milk": "white liquid",
    "cream": "white liquid",
    "water": "blue liquid",
    "oil": "yellow liquid",
    "egg": "yolk",
    "carrot": "orange food",
    "apple": "red food",
    "tomato": "red food",
}
"""What an object looks like; one that is missing here (batter, soup ...) is whatever the vessel holds."""


class Step(NamedTuple):
    """One action of a script, half-open ``[start, end)`` in frames of the rendered video."""

    name: str
    start: int
    end: int


class Script(NamedTuple):
    """One video before it is drawn."""

    video: str
    goal: str
    cook: int
    split: str  # "train" or "test"
    steps: tuple[Step, ...]
    num_frames: int


def look_of(name: str) -> tuple[str, str]:
    """Say what a class looks like: its verb and its material. Classes with one look differ in nothing that is drawn.

    Example:
        >>> look_of("add sugar") == look_of("add salt")
        True
        >>> look_of("stir tea")
        ('stir', 'contents')
    """
    verb, _, thing = name.partition(" ")
    return verb, "contents" if verb == "stir" else MATERIALS.get(thing, "contents")


def write_scripts(num_videos: int, seed: int, fps: int) -> list[Script]:
    """Draw the scripts of ``num_videos`` videos; the goals take turns, and so do the cooks, about one per seven videos.

    The videos of a quarter of the cooks are the test split; at least one cook stands on each side.

    Args:
        num_videos: number of videos, at least 4.
        seed: everything is a pure function of it.
        fps: frames a second of the rendered videos.
    """
    num_cooks = max(4, round(num_videos / len(KITCHEN_GOALS)))
    first_test_cook = num_cooks - min(max(1, round(num_cooks / 4)), num_cooks - 2)
    scripts = []
    for index in range(num_videos):
        rng = np.random.default_rng([seed, index])
        cook = index * num_cooks // num_videos
        goal = KITCHEN_GOALS[index % len(KITCHEN_GOALS)]
        steps, num_frames = _draw_steps(goal, rng, fps)
        split = "test" if cook >= first_test_cook else "train"
        scripts.append(Script(f"kitchen_{index:03d}", goal, cook, split, steps, num_frames))
    return scripts


def _draw_steps(goal: str, rng: np.random.Generator, fps: int) -> tuple[tuple[Step, ...], int]:
    """Draw which steps of a goal are done and when: the steps and the number of frames of the video."""
    now = rng.uniform(2.5, 4.5)  # the goal's card is laid out before the first step
    steps = []
    for written in RECIPES[goal]:
        if written.endswith("?") and rng.random() < 0.3:
            continue
        end = now + rng.uniform(2.6, 6.5)
        steps.append(Step(written.rstrip("?"), round(now * fps), round(end * fps)))
        now = end + (0.0 if rng.random() < 0.25 else rng.uniform(0.6, 2.6))
    return tuple(steps), round((now + rng.uniform(1.0, 3.0)) * fps)
