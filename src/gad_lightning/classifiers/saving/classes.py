"""Whether a classifier knows the classes that a checkpoint was trained with, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gad_lightning.errors import CheckpointError
from gad_lightning.schema import DataSchema


def check_classes(here: DataSchema, stored: DataSchema, added: Sequence[str] = ()) -> None:
    """Compare two schemas' label sets.

    Args:
        here: of the classifier, without what was added after its training.
        stored: of the checkpoint.
        added: what the checkpoint's classifier was given after its training.

    Raises:
        CheckpointError: naming the first class that differs, or the classes that were held out of one training only.
    """
    mine, theirs = ([labels.names for labels in schema.label_sets] for schema in (here, stored))
    if mine != theirs and set(here.unknown) != set(stored.unknown):
        raise CheckpointError(
            f"The checkpoint was trained with {_told(stored)}, and here the data has {_told(here)}.",
            f"set data.unknown_classes to {list(stored.unknown) or 'null'}",
        )
    if added and mine != theirs and set(added) & {name for names in mine for name in names}:
        raise CheckpointError(
            f"The checkpoint's classifier was given the classes {', '.join(map(repr, added))} after its training, and "
            "here the data counts them among those of the training.",
            f"set data.added_classes to {list(added)}",
        )
    for own, other in zip(mine, theirs, strict=False):
        for index, (name, there) in enumerate(zip(own, other, strict=False)):
            if name != there:
                raise CheckpointError(
                    f"Class {index} is {there!r} in the checkpoint and {name!r} here.",
                    "use the class list and order it was trained with",
                )
    sizes, stored_sizes = list(map(len, mine)), list(map(len, theirs))
    if sizes != stored_sizes:
        raise CheckpointError(
            f"The checkpoint has label sets of {stored_sizes} classes, this classifier of {sizes}.",
            "use the class list it was trained with",
        )


def added_names(about: Mapping[str, Any]) -> list[str]:
    """Classes of the first label set that a checkpoint's classifier was given after its training, in their order.

    Example:
        >>> added_names({"added": [{"head": 0, "names": ["pour"]}, {"head": 1, "names": ["cook"]}]})
        ['pour']
    """
    return [str(name) for one in about.get("added") or () if one["head"] == 0 for name in one["names"]]


def _told(schema: DataSchema) -> str:
    """What was held out, in words."""
    return f"the classes {', '.join(map(repr, schema.unknown))} held out" if schema.unknown else "no class held out"
