"""What is run: data sets, splits of held-out classes, and heads."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gad_lightning.data.own import OwnVideos
from gad_lightning.heads.base import ClassifierHead
from gad_lightning.heads.class_table import actions_of
from gad_lightning.heads.factor import FactorHead
from gad_lightning.heads.linear import LinearHead
from gad_lightning.heads.text import TextHead
from gad_lightning.schema import LabelSet

SPLITS = 5
SHOTS = (0, 1, 5, 20)
DRAWS = 5
"""Draws of the examples; their mean counts."""
FULL = -1
"""Number of the split that holds nothing out."""
FACTORED = ("factor", "factor_permuted")
TEXTED = ("frozen", "init", "shuffled")
TWO_WORDS = ("pick up", "lay down", "slide bottom of", "position the")
"""Verbs of more than one word."""


class Recipe(NamedTuple):
    """A data set and how long it is trained."""

    background: str | None
    short_memory: int
    epochs: int
    every: int  # epochs between validations
    hidden: int = 64


RECIPES = {
    "ikea_asm": Recipe("background", 64, 10, 2),
    "jigsaws": Recipe(None, 100, 9, 3),
    "kitchen": Recipe("background", 32, 20, 4, 96),
}


def data_of(name: str, root: Path, unknown: list[str], added: list[str] | None = None) -> OwnVideos:
    """The data set with classes held out."""
    recipe = RECIPES[name]
    return OwnVideos(
        root,
        background=recipe.background,
        mode="one_pass",
        short_memory=recipe.short_memory,
        chunk=128,
        batch_size=8 if recipe.hidden == 64 else 4,
        val_fraction=0.15,
        unknown_classes=unknown or None,
        added_classes=added,
    )


def held_out(data: OwnVideos, split: int) -> list[str]:
    """The classes of a split: each action is held out in one of five, and frequent and rare ones are spread.

    In the order of their number of training segments, every five neighbors are dealt to the splits at random.
    """
    if split == FULL:
        return []
    counts = Counter(row.label for name, rows in data.segment_rows.items() for row in rows if _trains(data, name))
    actions = sorted(actions_of(data.tasks[0].labels), key=lambda name: (-counts[name], name))
    rng = np.random.default_rng(0)
    chosen = []
    for start in range(0, len(actions), SPLITS):
        place = int(np.flatnonzero(rng.permutation(SPLITS) == split)[0])
        chosen += actions[start : start + SPLITS][place : place + 1]
    return chosen


def held_out_pairs(data: OwnVideos, split: int) -> list[str]:
    """Classes of a split for :class:`FactorHead`: verb and object of each stay in another class, permuted or not."""
    maps = [factors_of(data.tasks[0].labels, permuted) for permuted in (False, True)]
    order = sorted(maps[0])
    np.random.default_rng(1).shuffle(order)
    chosen: list[str] = []
    for name in order[split::SPLITS]:
        if _stay(maps, [*chosen, name]):
            chosen.append(name)
    return chosen


def _stay(maps: list[dict[str, tuple[str, str]]], hidden: list[str]) -> bool:
    """Whether every verb and object of the hidden classes is in a class that stays."""
    for pairs in maps:
        for part in (0, 1):
            left = {pair[part] for name, pair in pairs.items() if name not in hidden}
            if any(pairs[name][part] not in left for name in hidden):
                return False
    return True


def factors_of(labels: LabelSet, permuted: bool = False) -> dict[str, tuple[str, str]]:
    """Verb and object of every action, or those of another one."""
    names = actions_of(labels)
    pairs = [_cut(name) for name in names]
    if permuted:
        order = np.random.default_rng(2).permutation(len(names))
        things = [pairs[place][1] for place in order]
        verbs = [verb for verb, _ in pairs]
        pairs = _distinct(list(zip(verbs, things, strict=True)))
    return dict(zip(names, pairs, strict=True))


def _distinct(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs with objects exchanged until no two are equal."""
    rng = np.random.default_rng(3)
    while len(set(pairs)) < len(pairs):
        again = next(place for place, pair in enumerate(pairs) if pair in pairs[:place])
        other = int(rng.integers(len(pairs)))
        (verb, thing), (verb_there, thing_there) = pairs[again], pairs[other]
        pairs[again], pairs[other] = (verb, thing_there), (verb_there, thing)
    return pairs


def _cut(name: str) -> tuple[str, str]:
    verb = next((words for words in TWO_WORDS if name.startswith(f"{words} ")), name.split(" ")[0])
    return verb, name.removeprefix(verb).strip()


def _trains(data: OwnVideos, video: str) -> bool:
    rows = data.listed_videos
    return rows is None or rows[video].split == "train"


def texts_of(labels: LabelSet, head: str) -> dict[str, str]:
    """The text of every action: its name, or for ``shuffled`` that of another one."""
    names = actions_of(labels)
    if head != "shuffled":
        return {name: name for name in names}
    order = np.random.default_rng(4).permutation(len(names))
    return {names[place]: names[after] for place, after in zip(order, np.roll(order, 1), strict=True)}


def head_of(kind: str, labels: LabelSet, tower: str | None) -> partial[ClassifierHead]:
    """Makes a head.

    Args:
        kind: ``linear``, a mode of :class:`TextHead`, ``shuffled`` or one of :data:`FACTORED`.
        labels: all classes of the data.
        tower: folder of a sentence encoder, for heads of texts.
    """
    if kind == "linear":
        return partial(LinearHead)
    if kind in FACTORED:
        return partial(FactorHead, factors=factors_of(labels, kind == FACTORED[1]))
    if kind == "free":
        return partial(TextHead, mode="free")
    return partial(TextHead, mode="init" if kind == "init" else "frozen", texts=texts_of(labels, kind), tower=tower)
