"""The previous action as the published code finds it."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery


class PublishedPreviousAction(AuxiliaryContext):
    """The published rule: of the *distinct* other actions within the short window, the one that came first last.

    "A B A C" at C gives B, for of A only the first occurrence counts. An action older than the window, or of the class
    asked for, never counts.

    Args:
        short_memory: in frames, as in the data.
        with_label: see :class:`AuxiliaryContext`.
    """

    def __init__(self, short_memory: int, with_label: bool = True) -> None:
        super().__init__(with_label)
        self.short_memory = short_memory

    def context(self, query: ContextQuery) -> list[int | str]:
        """At most one class."""
        first, last = query.frame - self.short_memory + 1, query.frame
        shown = [segment.label for segment in query.segments if segment.end > first and segment.start <= last]
        distinct = [label for label in dict.fromkeys(shown) if label != query.label]
        return list(distinct[-1:])

    def longest(self, label: int, goal: int, comma: int) -> int:
        """One class."""
        return comma + label
