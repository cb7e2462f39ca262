"""One video: A, B, A again, then C."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.segments import Segment

A, B, C = 1, 2, 3
ABAC = [Segment(A, 0, 2), Segment(B, 3, 5), Segment(A, 5, 7), Segment(C, 8, 12)]


def told(context: AuxiliaryContext, label: int, frame: int) -> list[int | str]:
    """The answer of a query on that video."""
    return context.parts(ContextQuery(label, frame, ABAC, "make tea"))
