"""The contract of auxiliary contexts: what an answer says beside, or instead of, the label."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from gad_lightning.errors import SettingError
from gad_lightning.parts import Part
from gad_lightning.segments import Segment


class ContextQuery(NamedTuple):
    """One query, as a context sees it."""

    label: int  # class asked for
    frame: int  # frame of the video, at the features' fps
    segments: Sequence[Segment]  # labeled segments of the whole video in time order, background left out
    goal: str | None  # the procedure the video follows, if known
    name: str = ""  # of the class asked for


class AuxiliaryContext(Part):
    """Says what an answer tells beside the label. A subclass gives :meth:`context`.

    Args:
        with_label: whether the label itself is written before the context (the paper: yes).
    """

    def __init__(self, with_label: bool = True) -> None:
        self.with_label = with_label

    @abstractmethod
    def context(self, query: ContextQuery) -> list[int | str]:
        """What to write, in order: a class index is written by the label tokens, a string as it is."""

    def longest(self, label: int, goal: int, comma: int) -> int:
        """Most tokens that this context adds to an answer; the classifier keeps positions free for them.

        By default, one class and the goal. Override it in a context that writes more.

        Args:
            label: tokens of the longest class name.
            goal: tokens of the longest goal; 0 if the data has none.
            comma: tokens of a comma, which stands before each part.
        """
        return comma + label + comma + goal

    def written(self, query: ContextQuery) -> list[int | str]:
        """What :meth:`context` says to write, checked.

        Raises:
            SettingError: if that is no list of classes and strings.
        """
        found: object = self.context(query)
        if not isinstance(found, list | tuple) or not all(isinstance(part, int | str) for part in found):
            raise SettingError(
                f"{type(self).__name__}.context gave {str(found)[:80]!r} ({type(found).__name__}) for frame "
                f"{query.frame}, which is no list of class indices (int) and strings.",
                "return a list of them, [] to write nothing",
            )
        return list(found)

    def parts(self, query: ContextQuery) -> list[int | str]:
        """The whole answer: the label, if wanted, and the context."""
        return [query.label, *self.written(query)] if self.with_label else self.written(query)

    @staticmethod
    def checked(num_actions: int) -> int:
        """Return the most actions that a context may write.

        Raises:
            SettingError: if it is below 1.
        """
        if num_actions < 1:
            raise SettingError(
                f"num_actions must be at least 1, got {num_actions}.", "use the context NoContext to write no action"
            )
        return num_actions
