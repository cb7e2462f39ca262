"""Classes as a verb and an object each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from gad_lightning.errors import SettingError
from gad_lightning.heads.base import ClassifierHead, no_logits
from gad_lightning.heads.class_table import actions_of, check_known, read_classes
from gad_lightning.losses import class_loss
from gad_lightning.schema import ALIKE, LabelSet, alike, normalized
from gad_lightning.types import IGNORED, Loss

Pair = tuple[str, str]
"""Verb and object of a class; the object may be empty."""
BETWEEN = re.compile(r"[\s_]+")
OWN = "\n"
"""Before the name of a class that is its own verb and object; those of actions have no line break, as they are read."""
SHOWN = 8
"""Verbs and objects that a run names."""


class FactorHead(ClassifierHead):
    """The logit of a class is that of its verb, plus that of its object, plus one number of the pair.

    So what is learned of "cut" and of "apple" serves "cut apple", also if no training video shows it. The number of a
    pair is held near 0 by a penalty, and is 0 for a pair that training never shows. Where all are 0 the probabilities
    are the product of those of verb and object, over the pairs that are classes. Background and ignored class are a
    verb and an object of their own. The loss is that of the class plus ``factor_weight`` times that of the verb and
    that of the object.

    Args:
        hidden_size: H.
        labels: the classes.
        factors: verb and object of each class by its name, or the path of a CSV file ``label,verb,object``; if None the
            first word of a name is its verb, and the rest its object.
        factor_weight: of the losses of verb and object, at least 0.
        shrinkage: weight of the sum of the squares of all pairs' numbers, at least 0.

    Raises:
        SettingError: if a weight is below 0, a class has no factors, or two classes have the same ones.
        DataError, MissingDataError: if the file cannot be read.

    Source: verb and object apart: Chatterjee et al., NeurIPS 2023 (arXiv 2308.11488).
    """

    seen: nn.Parameter
    verb_of: Tensor
    object_of: Tensor
    offset: nn.Parameter

    def __init__(
        self,
        hidden_size: int,
        labels: LabelSet,
        factors: str | Path | dict[str, tuple[str, str]] | None = None,
        factor_weight: float = 0.5,
        shrinkage: float = 0.01,
    ) -> None:
        super().__init__(hidden_size, labels)
        for name, value in (("factor_weight", factor_weight), ("shrinkage", shrinkage)):
            if not value >= 0:
                raise SettingError(f"{name} of FactorHead must be 0 or more, got {value}.", "leave it out")
        self.factor_weight, self.shrinkage = factor_weight, shrinkage
        self.given = _factors_of(factors)
        self.pairs = _pairs_of(labels, self.given)
        self.verb_names = tuple(dict.fromkeys(verb for verb, _ in self.pairs))
        self.object_names = tuple(dict.fromkeys(thing for _, thing in self.pairs))
        self.verbs = nn.Linear(hidden_size, len(self.verb_names))
        self.objects = nn.Linear(hidden_size, len(self.object_names))
        self.interaction = nn.Parameter(torch.zeros(len(labels.names)))
        self.seen = nn.Parameter(torch.zeros(len(labels.names)), requires_grad=False)  # 1 once training has shown it
        self.added: dict[str, Pair] = {}
        """Classes behind the trained ones."""
        self._number(self.pairs)

    def settings(self) -> dict[str, Any]:
        """Arguments to record: the factors in place of a file."""
        return {**super().settings(), "factors": self.given}

    def summary(self) -> str:
        """Which verbs and objects there are, and how often they are shared."""
        actions = len(actions_of(self.labels))
        verbs, things = self._parts(0), self._parts(1)
        source = "in the names of" if self.given is None else "given for"
        shared = "" if min(len(verbs), len(things)) < actions else " No two classes share one, so none helps another."
        return (
            f"FactorHead: {len(verbs)} verbs ({_listed(verbs)}) and {len(things)} objects ({_listed(things)}) {source} "
            f"{actions} classes, of {len(verbs) * len(things)} pairs.{shared}"
        )

    def row_names(self) -> dict[str, Sequence[str]]:
        """Verbs and objects; which classes were seen is taken over with what was learned of them."""
        rows = {"verbs": self.verb_names, "objects": self.object_names}
        factors = {f"{layer}.{part}": names for layer, names in rows.items() for part in ("weight", "bias")}
        return {**factors, "seen": self.labels.names}

    def origin(self) -> Tensor:
        """State (H,) whose logits of the trained classes are nearest to 0."""
        verbs, things = (number[: len(self.labels.names)] for number in (self.verb_of, self.object_of))
        weight = self.verbs.weight[verbs] + self.objects.weight[things]
        return no_logits(weight, self.verbs.bias[verbs] + self.objects.bias[things] + self._bonus())

    def forward(self, states: Tensor) -> Tensor:
        """(Q, H) -> (Q, C)."""
        verbs, things = self.verbs(states), self.objects(states)
        trained = len(self.labels.names)
        logits: Tensor = verbs[:, self.verb_of[:trained]] + things[:, self.object_of[:trained]] + self._bonus()
        if not self.added:
            return logits
        more = verbs[:, self.verb_of[trained:]] + things[:, self.object_of[trained:]] + self.offset
        return torch.cat([logits, more], 1)  # apart, so that no other logit changes by a bit

    def extra_losses(self, states: Tensor, label: Tensor, weight: Tensor) -> dict[str, Loss]:
        """Cross entropy of verb and of object as ``factors``, and the penalty as ``interaction``."""
        label = label.to(states.device)
        self._see(label)
        parts = [
            class_loss(layer(states), _factor_labels(label, number, layer.out_features), weight)
            for layer, number in ((self.verbs, self.verb_of), (self.objects, self.object_of))
        ]
        factors = Loss(parts[0].sum + parts[1].sum, parts[0].count).scaled(self.factor_weight)
        penalty = self.interaction.float().square().sum()
        return {"factors": factors, "interaction": Loss(penalty, torch.ones_like(penalty)).scaled(self.shrinkage)}

    def check_pairs(self, given: Mapping[str, Sequence[str]]) -> dict[str, Pair]:
        """Verb and object of further classes, by class, which must be known ones in a new pair.

        Raises:
            SettingError: naming the class whose factors are none or new, or whose pair is a class already.
        """
        trained = dict(zip(self.labels.names, self.pairs, strict=True))
        found: dict[str, Pair] = {}
        for name, pair in given.items():
            verb, thing = _checked_pair(name, pair)
            for what, part, known in (("verb", verb, self._parts(0)), ("object", thing, self._parts(1))):
                if part not in known:
                    shown = _listed(known, 3 * SHOWN)
                    raise SettingError(
                        f"The {what} {_shown(part)!r} of the class {name!r} is none that this FactorHead was trained "
                        "with, and without training it can only pair those.",
                        f"take one of its {what}s ({shown}), or train a classifier of all classes with --init_from",
                    )
            known_pairs = {**trained, **self.added, **found}
            other = next((one for one, its in known_pairs.items() if its == (verb, thing)), None)
            if other is not None:
                raise SettingError(
                    f"The class {name!r} has the verb {verb!r} and the object {_shown(thing)!r}, as {other!r} has.",
                    "give each class another pair",
                )
            found[name] = (verb, thing)
        return found

    def add_pairs(self, pairs: Mapping[str, Pair]) -> None:
        """Take further classes of known verbs and objects behind the others."""
        if not self.added:
            self.offset = nn.Parameter(torch.zeros((), device=self.seen.device), requires_grad=False)
        self.added.update(pairs)
        self._number([*self.pairs, *self.added.values()])

    def _parts(self, place: int) -> list[str]:
        """Verbs (0) or objects (1) of the trained actions: without those of background and ignored class."""
        actions = actions_of(self.labels)
        pairs = (pair for name, pair in zip(self.labels.names, self.pairs, strict=True) if name in actions)
        return list(dict.fromkeys(pair[place] for pair in pairs))

    def _number(self, pairs: Sequence[Pair]) -> None:
        """Note the rows of each class's verb and object, (C,) int64 each."""
        device = self.seen.device
        verbs = torch.tensor([self.verb_names.index(verb) for verb, _ in pairs], device=device)
        things = torch.tensor([self.object_names.index(thing) for _, thing in pairs], device=device)
        self.register_buffer("verb_of", verbs, persistent=False)
        self.register_buffer("object_of", things, persistent=False)

    def _bonus(self) -> Tensor:
        """The number of each pair, (C,); 0 where training never showed it."""
        return self.interaction * (self.seen > 0)

    def _see(self, label: Tensor) -> None:
        """Note which classes training shows, in all processes."""
        with torch.no_grad():
            shown = label[label >= 0] if label.dim() == 1 else (label > 0).any(0).nonzero().squeeze(1)
            self.seen[shown] = 1
            if distributed.is_available() and distributed.is_initialized():
                distributed.all_reduce(self.seen, distributed.ReduceOp.MAX)


def _factors_of(given: str | Path | Mapping[str, Sequence[str]] | None) -> dict[str, Pair] | None:
    """Factors by class, of a file if a path is given.

    Raises:
        SettingError: if a class has something else than a verb and an object.
    """
    if isinstance(given, str | Path):
        return {name: (verb, thing) for name, (verb, thing) in read_classes(Path(given), ("verb", "object")).items()}
    return None if given is None else {name: _checked_pair(name, pair) for name, pair in given.items()}


def _checked_pair(name: str, pair: Sequence[str]) -> Pair:
    """A verb and an object.

    Raises:
        SettingError: if ``pair`` is something else, or the verb is empty.
    """
    texts = isinstance(pair, Sequence) and not isinstance(pair, str) and all(isinstance(part, str) for part in pair)
    if not texts or len(pair) != 2 or not normalized(pair[0]):
        raise SettingError(
            f"The factors of the class {name!r} are {pair!r}, not a verb and an object.", 'give ("cut", "apple")'
        )
    return normalized(pair[0]), normalized(pair[1])


def _cut(name: str) -> Pair:
    """First word of a name, and the rest.

    Example:
        >>> _cut("pick up leg"), _cut("stir")
        (('pick', 'up leg'), ('stir', ''))
    """
    verb, _, thing = BETWEEN.sub(" ", normalized(name)).partition(" ")
    return verb, thing


def _pairs_of(labels: LabelSet, given: Mapping[str, Pair] | None) -> list[Pair]:
    """Verb and object of every class; of background and ignored class one of their own.

    Raises:
        SettingError: if a class has none, two have the same, or names of verbs or objects are read as one.
    """
    actions = actions_of(labels)
    if given is not None:
        check_known(given, labels, "factors of FactorHead")
    of_class = {name: _cut(name) if given is None else given[name] for name in actions}
    owner: dict[Pair, str] = {}
    for name, pair in of_class.items():
        if owner.setdefault(pair, name) != name:
            raise SettingError(
                f"The classes {owner[pair]!r} and {name!r} both have the verb {pair[0]!r} and the object "
                f"{_shown(pair[1])!r}.",
                "give each class another pair in factors",
            )
    for place, what in enumerate(("verbs", "objects")):
        for one, other in alike(pair[place] for pair in of_class.values()):
            raise SettingError(
                f"factors of FactorHead has the {what} {one!r} and {other!r}, which differ by {ALIKE} only.",
                "write them alike in factors",
            )
    return [of_class.get(name, (OWN + name, OWN + name)) for name in labels.names]


def _factor_labels(label: Tensor, number: Tensor, size: int) -> Tensor:
    """The true factor of each query: label (Q,) -> (Q,), or multi-hot (Q, C) -> (Q, size); number (C,)."""
    if label.dim() == 1:
        return torch.where(label < 0, label, number[label.clamp(min=0)])
    hot = label.new_zeros(len(label), size).index_add(1, number[: label.shape[1]], label.clamp(min=0)).clamp(max=1)
    return hot.masked_fill((label < 0).any(1, keepdim=True), IGNORED)


def _shown(thing: str) -> str:
    """An object for messages."""
    return thing or "no object"


def _listed(names: Sequence[str], most: int = SHOWN) -> str:
    """Names for a message, the first ones of many."""
    return ", ".join([_shown(name) for name in names[:most]] + ["..."] * (len(names) > most))
