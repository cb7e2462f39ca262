"""Label tokens of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.prompts.answers import AnswerWriter
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.types import Vocabulary
from tests.prompts.letters import Words26, schema


class Initials(LabelTokens):
    """The first letter of each name."""

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """One token a class."""
        return [vocabulary.encode(name[0]) for name in names]


def test_a_class_is_written_as_its_label_tokens_say() -> None:
    writer = AnswerWriter(schema(("background", "stir", "cut")), Initials(), NoContext(), Words26())
    assert writer.label_answers(0) == [[1, 31], [18, 31], [2, 31]]


def test_label_tokens_that_do_not_tell_classes_apart_are_refused() -> None:
    with pytest.raises(SettingError, match="'cut' and 'cook' are written with the same tokens"):
        AnswerWriter(schema(("background", "cut", "cook")), Initials(), NoContext(), Words26())
