"""Classes that training never sees: which ones they are, and what their labels become."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gad_lightning.data.records import Labels, Timeline, VideoRecord
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet, Task, normalized
from gad_lightning.types import IGNORED

SETTING = "data.unknown_classes"


class UnknownClasses(NamedTuple):
    """What is held out of training, and what a classifier was given after it.

    A frame of a class that is held out is ignored in training. Elsewhere its label is the one after the last class of
    its task, that of "none of these"; a class that the classifier was given counts as the classifier counts it.
    """

    names: tuple[str, ...] = ()  # held out, in the order of the class lists
    added: tuple[str, ...] = ()  # that a classifier was given after its training, in its order; of the first label set

    def known(self, labels: LabelSet) -> LabelSet:
        """What is left of a label set.

        Example:
            >>> UnknownClasses(("pour",)).known(LabelSet(("pour", "rest", "stir"), background=1))
            LabelSet(names=('rest', 'stir'), background=0, ignore=None, multi_label=False)
        """
        kept = [name for name in labels.names if name not in self.names and name not in self.added]
        background, ignore = (
            None if index is None else kept.index(labels.names[index]) for index in (labels.background, labels.ignore)
        )
        return LabelSet(tuple(kept), background, ignore, labels.multi_label)

    def known_tasks(self, tasks: Sequence[Task]) -> tuple[Task, ...]:
        """The tasks with what is left of their label sets."""
        return tuple(task._replace(labels=self.known(task.labels)) for task in tasks)

    def known_goals(self, goals: Sequence[str]) -> tuple[str, ...]:
        """The goals that name none of the classes held out.

        Example:
            >>> UnknownClasses(("pour tea",)).known_goals(["make tea", "Pour tea for two"])
            ('make tea',)
        """
        hidden = [re.compile(rf"(?<!\w){re.escape(name.casefold())}(?!\w)") for name in self.names]
        return tuple(goal for goal in goals if not any(name.search(goal.casefold()) for name in hidden))

    def relabeled(self, laid: Timeline, tasks: Sequence[Task], training: bool) -> Timeline:
        """The labels of one video as a classifier counts them; segments of known classes only are left.

        Args:
            laid: labels that count in the full label sets.
            tasks: with these.
            training: whether frames of what is held out are ignored.
        """
        if not self.names and not self.added:
            return laid
        first = tasks[0].labels
        tables = [self._table(task.labels, task.labels == first, training) for task in tasks]
        queries, size = laid.queries, len(self.known(first).names)
        if queries.label.ndim == 2:
            label: Labels = _columns(queries.label, tables[0], size + len(self.added))
        else:
            label = queries.label.copy()
            for number, table in enumerate(tables):
                rows = (queries.task == number) & (queries.label != IGNORED)
                label[rows] = table[queries.label[rows].astype(np.int64)]
        segments = laid.segments.copy()
        segments[:, 0] = tables[0][segments[:, 0]]
        left = (segments[:, 0] >= 0) & (segments[:, 0] < size)
        return Timeline(queries._replace(label=label), segments[left])

    def check_added(self, names: Sequence[str], labels: LabelSet) -> None:
        """Refuse a classifier whose added classes are not counted as it counts them.

        Args:
            names: that it was given after its training, in its order.
            labels: first label set of the data, with all classes.

        Raises:
            SettingError: naming them.
        """
        if tuple(names) != self.added and (self.names or self.added or set(names) & set(labels.names)):
            raise SettingError(
                f"The classifier was given the classes {list(names)} after its training, and the data counts "
                f"{list(self.added)} behind those of the training.",
                f"set data.added_classes to {list(names)}",
            )

    def _table(self, labels: LabelSet, first: bool, training: bool) -> IntArray:
        """New label of every class, (C,)."""
        known, added = self.known(labels).names, self.added if first else ()
        behind = {name: len(known) + place for place, name in enumerate(added)}
        place = {name: index for index, name in enumerate(known)}
        none = len(known) + len(added)
        hidden = [IGNORED if training else behind.get(name, none) for name in labels.names]
        return np.array([place.get(name, other) for name, other in zip(labels.names, hidden, strict=True)])


def choose_unknown(
    tasks: Sequence[Task], wanted: Sequence[str] | int | float | None, seed: int, added: Sequence[str] = ()
) -> UnknownClasses:
    """Say which classes are held out.

    A number of them is drawn from the actions of the first task by a hash of seed and name, so it depends on no order,
    and further names change it little.

    Args:
        tasks: with all classes.
        wanted: names, how many, or which share of the actions; None for nothing.
        seed: of the draw.
        added: what a classifier was given after its training.

    Raises:
        SettingError: if it is a text, a name is no action, nothing would be left to train on, or several labels can be
            true at once.
    """
    if isinstance(wanted, str):
        raise SettingError(
            f"{SETTING} is the text {wanted!r}, and no list.", f"give a list of names: {[wanted or '...']}"
        )
    if wanted is None or wanted == []:
        return UnknownClasses((), tuple(map(normalized, added)))
    if any(task.labels.multi_label for task in tasks):
        raise SettingError(
            f"{SETTING} is {wanted!r}, and with data.multi_label a frame has no label that could say unknown.",
            "leave one of the two out",
        )
    actions = _actions(tasks[0].labels)
    names = _drawn(actions, wanted, seed) if isinstance(wanted, int | float) else _checked(tasks, wanted)
    if not set(actions) - set(names):
        raise SettingError(
            f"{SETTING} holds all {len(actions)} actions out: nothing is left to train on.", "hold fewer of them out"
        )
    ordered = dict.fromkeys(name for task in tasks for name in task.labels.names if name in names)
    return UnknownClasses(tuple(ordered), tuple(map(normalized, added)))


def with_goals(records: Sequence[VideoRecord], goals: Sequence[str], known: Sequence[str]) -> Sequence[VideoRecord]:
    """Videos whose goals count in ``goals``, counted in ``known``, a part of these; one that is left out is unknown."""
    if len(goals) == len(known):
        return records
    place = [known.index(goal) if goal in known else -1 for goal in goals]
    return [replace(record, goal=place[record.goal] if record.goal >= 0 else -1) for record in records]


def _actions(labels: LabelSet) -> list[str]:
    """Names of the classes that are neither background nor ignored."""
    alone = (labels.background, labels.ignore)
    return [name for index, name in enumerate(labels.names) if index not in alone]


def _drawn(actions: Sequence[str], wanted: int | float, seed: int) -> list[str]:
    """A number or share of the actions.

    Raises:
        SettingError: if it is out of range.

    Example:
        >>> len(_drawn(["cut", "pour", "stir", "wait", "wash"], 0.4, seed=0))
        2
        >>> _drawn(["cut", "pour", "stir"], 1, seed=0) == _drawn(["stir", "pour", "cut"], 1, seed=0)
        True
    """
    most = len(actions) - 1  # one is left to train on
    if most < 1:
        raise SettingError(f"{SETTING} is {wanted}, and there is no second action to train on.", "leave it out")
    share, limit = isinstance(wanted, float), (most + 0.5) / len(actions)  # a larger share rounds to all of them
    if not 0 < wanted <= (limit if share else most):
        shares = f"a share above 0 and up to {math.floor(100 * limit) / 100:g}"
        raise SettingError(
            f"{SETTING} is {wanted}, and there are {len(actions)} actions, of which one at least must be left.",
            f"say how many are held out as a whole number from 1 to {most}, or as {shares}",
        )
    count = min(max(1, round(wanted * len(actions))), most) if share else int(wanted)
    return sorted(actions, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).hexdigest())[:count]


def _checked(tasks: Sequence[Task], wanted: Sequence[str]) -> list[str]:
    """Names that were given.

    Raises:
        SettingError: naming the first that is no action.
    """
    actions = [name for task in tasks for name in _actions(task.labels)]
    names = [normalized(name) for name in wanted]
    wrong = next((name for name in names if name not in actions), None)
    if wrong is None:
        return names
    if any(wrong in task.labels.names for task in tasks):
        raise SettingError(f"{SETTING} has {wrong!r}, which is no action.", "leave it out of the list")
    close = difflib.get_close_matches(wrong, actions, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else "take names of the data's classes"
    raise SettingError(f"{SETTING} has {wrong!r}, which is no class of the data.", remedy)


def _columns(rows: Labels, table: IntArray, size: int) -> Labels:
    """Rows of 0 and 1, (Q, C), with the columns of a table, (Q, size); IGNORED where a class without one is true."""
    shown = np.zeros((len(rows), size), dtype=np.float32)
    has = (table >= 0) & (table < size)
    shown[:, table[has]] = rows[:, has]
    shown[(rows[:, ~has] > 0).any(1) | (rows == IGNORED).all(1)] = IGNORED
    return shown
