"""The previous action as the published code finds it."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, Moment


class PublishedPrevious(AuxiliaryContext):
    """The published rule: of the *distinct* other actions within the short window, the one that came first last.

    "A B A C" at C gives B, for of A only the first occurrence counts. An action older than the window, or of the class
    asked for, never counts.

    Args:
        window: short memory in frames.
        with_label: see :class:`AuxiliaryContext`.
    """

    def __init__(self, window: int, with_label: bool = True) -> None:
        super().__init__(with_label)
        self.window = window

    def context(self, moment: Moment) -> list[int | str]:
        """At most one class."""
        first, last = moment.frame - self.window + 1, moment.frame
        shown = [segment.label for segment in moment.segments if segment.end > first and segment.start <= last]
        distinct = [label for label in dict.fromkeys(shown) if label != moment.label]
        return list(distinct[-1:])
