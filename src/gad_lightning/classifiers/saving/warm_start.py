"""One classifier begins where another ended, also for other classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gad_lightning.classifiers.saving.checkpoint import TrainedWeights, content_of, weights_of
from gad_lightning.classifiers.saving.digest import check_digest
from gad_lightning.errors import CheckpointError
from gad_lightning.parts import current_names, path_of
from gad_lightning.rebuilding import factory, path_and_arguments, rebuild
from gad_lightning.schema import DataSchema, LabelSet

Rows = tuple[Sequence[str], Sequence[str]]
"""Names of the rows of a stored weight, and of the own one."""


class WarmStart(NamedTuple):
    """What a classifier took over."""

    weights: int  # how many of the trained weights, whole or in part
    kept: tuple[str, ...]  # classes whose rows of a head were taken over
    new: tuple[str, ...]  # classes that begin untrained
    fresh: tuple[str, ...]  # trained weights that begin untrained as a whole

    def __str__(self) -> str:
        """One line for a log."""
        news = f", new: {', '.join(self.new)}" if self.new else ""
        fresh = f"; untrained: {', '.join(self.fresh)}" if self.fresh else ""
        return f"took over {self.weights} weights and {len(self.kept)} classes{news}{fresh}"


@torch.no_grad()
def warm_start(classifier: TrainedWeights, checkpoint: dict[str, Any], where: str, other_settings: bool) -> WarmStart:
    """Copy what fits: see :meth:`~gad_lightning.classifiers.saving.sharing.Shareable.init_from`.

    Args:
        classifier: gets the weights.
        checkpoint: content of a checkpoint.
        where: it was read from.
        other_settings: whether backbone, prompt and windows may be others.

    Raises:
        CheckpointError: if it has another base, LoRA, kind of features, prompt or windows; nothing has changed then.
    """
    about, found = content_of(checkpoint, where), weights_of(checkpoint, where)
    check_digest(about, found, where)
    stored: DataSchema = rebuild(about["schema"])
    _check_base(classifier, about["fingerprint"], stored, where)
    classifier.check_start(about, other_settings)
    heads, mine, theirs = _heads_of(classifier.schema, stored), classifier.schema.label_sets, stored.label_sets
    pairs = {f"heads.{n}.": (theirs[head].names, mine[n].names) for n, head in enumerate(heads)}
    named = _named_rows(classifier, about["spec"], [theirs[head] for head in heads])
    lost = {name for name, (stored_rows, _) in named.items() if not stored_rows}
    found = {name: weight for name, weight in _in_order(found, heads).items() if name not in lost}
    table = _token_rows(classifier, about)
    copied, fresh, learned = 0, [], _learned(classifier, named)
    rows = {
        name: next((pair for prefix, pair in (named | pairs | table).items() if name.startswith(prefix)), None)
        for name in learned
    }
    _check_backbone({name: weight for name, weight in learned.items() if rows[name] is None}, found, where)
    for name, weight in learned.items():
        pair = rows[name]
        if name in found and pair is not None and _copy_rows(weight, found[name], *pair):
            copied += 1
        elif name in found and pair is None and found[name].shape == weight.shape:
            weight.copy_(found[name])
            copied += 1
        else:
            fresh.append(name)
    known = {name for labels in theirs for name in labels.names}
    asked = [name for labels in mine for name in labels.names]
    kept = tuple(name for name in asked if name in known)
    return WarmStart(copied, kept, tuple(name for name in asked if name not in known), tuple(fresh))


def _check_backbone(learned: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    """Refuse stored weights of another backbone, before any is copied.

    Args:
        learned: own weights that are copied whole.
        found: the stored ones.
        where: they were read from.

    Raises:
        CheckpointError: naming the first that is missing or has another shape.
    """
    wrong = [
        name
        for name, weight in learned.items()
        if name.startswith("backbone.") and (name not in found or found[name].shape != weight.shape)
    ]
    if wrong:
        raise CheckpointError(
            f"{where} lacks {len(wrong)} weights of this backbone or has them in another shape, first {wrong[0]!r}.",
            "use the backbone of the config.yaml beside it: its model, lora, lora_on_head and connector",
        )


def _token_rows(classifier: TrainedWeights, about: Mapping[str, Any]) -> dict[str, Rows]:
    """Names of the stored and of the own rows of the new tokens."""
    tokens, stored = classifier.backbone.new_tokens, about.get("new_tokens", {"names": [], "written": []})
    texts = stored.get("texts", [])
    written = [stored["names"][row] for row in stored["written"]]
    return {
        "backbone.new_tokens.input": ([name for name in stored["names"] if name not in texts], tokens.own),
        "backbone.new_tokens.output": ([name for name in written if name not in texts], tokens.own_written),
        "backbone.new_tokens.meaning.": ((), ()),  # projections of another width are made anew
    }


def _learned(classifier: TrainedWeights, named: Collection[str]) -> dict[str, Tensor]:
    """Weights that are learned, and those of ``named`` rows; what was made of texts stays as it is."""
    state, of_texts = classifier.trained_state().items(), ("heads.", "backbone.new_tokens.meaning.")
    return {
        name: weight for name, weight in state if weight.requires_grad or name in named or not name.startswith(of_texts)
    }


def _named_rows(classifier: TrainedWeights, stored: object, label_sets: Sequence[LabelSet]) -> dict[str, Rows]:
    """Names of the stored and of the own rows of the heads' weights, where these are no classes.

    Args:
        classifier: gets the weights.
        stored: description of the other classifier.
        label_sets: of its heads, in the order of the own ones.

    Returns:
        By the weight's name; without stored names where the other head is of another class.
    """
    _, arguments = path_and_arguments(current_names(stored))
    made = arguments.get("head")
    described = made["factory"] if isinstance(made, Mapping) and "factory" in made else None
    found: dict[str, Rows] = {}
    for number, (head, labels) in enumerate(zip(classifier.heads_made, label_sets, strict=False)):
        mine, theirs = head.row_names(), {}
        if mine and described is not None and path_and_arguments(described)[0] == path_of(type(head)):
            package = type(head).__module__.partition(".")[0]
            theirs = factory(described, (package,))(head.hidden_size, labels).row_names()
        found |= {f"heads.{number}.{name}": (theirs.get(name, ()), rows) for name, rows in mine.items()}
    return found


def _check_base(classifier: TrainedWeights, fingerprint: str, stored: DataSchema, where: str) -> None:
    """Refuse weights that were trained on another base, or on frames of another kind.

    Raises:
        CheckpointError: naming both.
    """
    if fingerprint != classifier.backbone.fingerprint():
        raise CheckpointError(
            f"{where} was trained on another base model: its fingerprint differs.",
            "set backbone.language_model (and revision) to the one it was trained on",
        )
    mine, theirs = classifier.schema.features, stored.features
    if (mine.encoder, mine.width, mine.tokens_per_frame) != (theirs.encoder, theirs.width, theirs.tokens_per_frame):
        raise CheckpointError(
            f"{where} was trained on features of the encoder {theirs.encoder!r} ({theirs.tokens_per_frame} tokens of "
            f"width {theirs.width}); these are of {mine.encoder!r} ({mine.tokens_per_frame} of {mine.width}).",
            "encode the videos with that encoder",
        )


def _heads_of(mine: DataSchema, stored: DataSchema) -> list[int]:
    """Per head of ``mine``: the stored head that shares most class names."""
    theirs = [set(labels.names) for labels in stored.label_sets]
    return [
        max(range(len(theirs)), key=lambda head: len(theirs[head] & set(labels.names))) for labels in mine.label_sets
    ]


def _in_order(found: Mapping[str, Tensor], heads: Sequence[int]) -> dict[str, Tensor]:
    """Weights under the names that they have if stored head ``heads[n]`` is head n.

    Example:
        >>> sorted(_in_order({"heads.0.bias": torch.zeros(1), "heads.1.bias": torch.ones(1)}, [1]))
        ['heads.0.bias']
    """
    whole = {name: weight for name, weight in found.items() if not name.startswith("heads.")}
    for number, head in enumerate(heads):
        prefix = f"heads.{head}."
        parts = {name.removeprefix(prefix): weight for name, weight in found.items() if name.startswith(prefix)}
        whole.update({f"heads.{number}.{rest}": weight for rest, weight in parts.items()})
    return whole


def _copy_rows(weight: Tensor, found: Tensor, theirs: Sequence[str], mine: Sequence[str]) -> bool:
    """Copy the rows of ``found`` to those of the same name, or all of it where rows are no names; False if none fits.

    Example:
        >>> weight = torch.zeros(3, 1)
        >>> _copy_rows(weight, torch.tensor([[1.0], [2.0]]), ["stir", "pour"], ["cut", "pour", "stir"])
        True
        >>> weight.flatten().tolist()
        [0.0, 2.0, 1.0]
    """
    if weight.shape[1:] != found.shape[1:] or len(weight) != len(mine) or len(found) != len(theirs):
        if weight.shape == found.shape:  # a hidden layer of a head
            weight.copy_(found)
        return weight.shape == found.shape
    row_of: Mapping[str, int] = {name: row for row, name in enumerate(theirs)}
    both = [name for name in mine if name in row_of]
    if both:
        weight[[list(mine).index(name) for name in both]] = found[[row_of[name] for name in both]].to(weight)
    return True
