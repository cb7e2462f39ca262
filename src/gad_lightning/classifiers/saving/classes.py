"""Whether a classifier knows the classes that a checkpoint was trained with, in their order."""

from __future__ import annotations

from gad_lightning.errors import CheckpointError
from gad_lightning.schema import DataSchema


def check_classes(here: DataSchema, stored: DataSchema) -> None:
    """Compare two schemas' label sets.

    Args:
        here: of the classifier, without what was added after its training.
        stored: of the checkpoint.

    Raises:
        CheckpointError: naming the first class that differs, or the classes that were held out of one training only.
    """
    mine, theirs = ([labels.names for labels in schema.label_sets] for schema in (here, stored))
    if mine != theirs and set(here.unknown) != set(stored.unknown):
        raise CheckpointError(
            f"The checkpoint was trained with {_told(stored)}, and here the data has {_told(here)}.",
            f"set data.unknown_classes to {list(stored.unknown) or 'null'}",
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


def _told(schema: DataSchema) -> str:
    """What was held out, in words."""
    return f"the classes {', '.join(map(repr, schema.unknown))} held out" if schema.unknown else "no class held out"
