"""The context that is chosen while GAD trains."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.errors import SettingError
from gad_lightning.parts import Arguments, check_given
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.joined import JoinedContexts, checked_contexts
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.previous import PreviousActions


def usual_contexts(previous: int, following: int, goals: bool) -> tuple[AuxiliaryContext, ...]:
    """Previous and next actions, the goal, and their pairs.

    Args:
        previous: previous actions, at most; at least 1.
        following: next actions, at most; at least 1.
        goals: whether the data has any.
    """
    before = [PreviousActions(count) for count in range(1, previous + 1)]
    after = [NextActions(count) for count in range(1, following + 1)]
    goal = [GoalContext()] if goals else []
    one = [PreviousActions(), NextActions(), *goal]
    pairs = [JoinedContexts([first, second]) for place, first in enumerate(one) for second in one[place + 1 :]]
    return (*before, *after, *goal, *pairs)


class AutoContext(AuxiliaryContext):
    """Writes the label alone in the first epoch, and from the second on the context that was then chosen.

    The choice is that of ``gad-lightning choose-context`` on the validation videos, and is recorded in checkpoints as
    ``chosen``. Where no context tells and shows anything, the label stays alone.

    Args:
        contexts: to choose from; by default one or two previous actions, the next one, the goal if there are goals,
            and pairs of these.
        chosen: what was chosen; None as long as nothing was.
        with_label: see :class:`AuxiliaryContext`.
    """

    def __init__(
        self,
        contexts: Sequence[AuxiliaryContext] | None = None,
        chosen: AuxiliaryContext | None = None,
        with_label: bool = True,
    ) -> None:
        super().__init__(with_label)
        self.contexts = None if contexts is None else checked_contexts(contexts, type(self).__name__)
        if chosen is not None:
            check_given("chosen", chosen, AuxiliaryContext)
        if not with_label:
            raise SettingError(
                "AutoContext(with_label=False) would write nothing in the first epoch.", "leave with_label out"
            )
        self.chosen = chosen
        self.is_chosen_later = False

    def candidates(self, goals: bool) -> tuple[AuxiliaryContext, ...]:
        """What is chosen from; ``goals`` says whether the data has any."""
        return self.contexts or usual_contexts(2, 1, goals)

    def settings(self) -> Arguments:
        """Arguments to record, with what was chosen."""
        return {**super().settings(), "chosen": self.chosen}

    def context(self, query: ContextQuery) -> list[int | str]:
        """That of the chosen context; nothing before.

        Raises:
            SettingError: if nothing was chosen and nobody will.
        """
        if self.chosen is None and not self.is_chosen_later:
            raise SettingError(
                "AutoContext is chosen by a GADClassifier while it trains, as its only context: here nothing was.",
                "name a context, such as the one that gad-lightning choose-context prints",
            )
        return [] if self.chosen is None else self.chosen.written(query)

    def longest(self, label: int, goal: int, comma: int) -> int:
        """The longest of those that may be chosen."""
        every = [*self.candidates(goals=goal > 0), *([] if self.chosen is None else [self.chosen])]
        return max(context.longest(label, goal, comma) for context in every)
