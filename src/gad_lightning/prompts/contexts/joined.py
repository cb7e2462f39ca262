"""Several contexts, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.errors import SettingError
from gad_lightning.parts import check_given
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery


class JoinedContexts(AuxiliaryContext):
    """What several contexts write, in their order; the label comes before all of them or not at all.

    Args:
        contexts: at least one; their own ``with_label`` does not count.
        with_label: see :class:`AuxiliaryContext`.

    Raises:
        SettingError: if there is no context, or one is none.
    """

    def __init__(self, contexts: Sequence[AuxiliaryContext], with_label: bool = True) -> None:
        super().__init__(with_label)
        self.contexts = checked_contexts(contexts, type(self).__name__)

    def context(self, query: ContextQuery) -> list[int | str]:
        """All that they write."""
        return [part for context in self.contexts for part in context.written(query)]

    def longest(self, label: int, goal: int, comma: int) -> int:
        """The sum of all."""
        return sum(context.longest(label, goal, comma) for context in self.contexts)


def checked_contexts(given: object, whose: str) -> tuple[AuxiliaryContext, ...]:
    """Return a list of contexts.

    Raises:
        SettingError: if it is no list, is empty, or holds something else.
    """
    if not isinstance(given, list | tuple) or not given:
        raise SettingError(
            f"{whose} needs a list of at least one context, and was given {str(given)[:80]!r}.",
            "name them, such as contexts=[PreviousActions(), NextActions()]",
        )
    for index, context in enumerate(given):
        check_given(f"contexts[{index}] of {whose}", context, AuxiliaryContext)
    return tuple(given)
