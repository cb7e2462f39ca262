"""The contract of auxiliary contexts: what an answer says beside, or instead of, the label."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

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
    """Says what an answer tells of a moment. A subclass gives :meth:`context`.

    Args:
        with_label: whether the label itself is written before the context (the paper: yes).
    """

    def __init__(self, with_label: bool = True) -> None:
        self.with_label = with_label

    @abstractmethod
    def context(self, moment: ContextQuery) -> list[int | str]:
        """What to write, in order: a class index is written by the label tokens, a string as it is."""

    def parts(self, moment: ContextQuery) -> list[int | str]:
        """The whole answer: the label, if wanted, and the context."""
        return [moment.label, *self.context(moment)] if self.with_label else self.context(moment)
