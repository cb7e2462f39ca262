"""The layout, checked by hand on a vocabulary of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.prompts.answers import Answer, AnswerWriter, stack
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.random import RandomLabels
from gad_lightning.prompts.labels.shuffled import ShuffledLabels
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import IGNORED, Kind, Tokens
from tests.classifiers.making import batch, random_frames

P, F, BRANCH = int(Kind.PROMPT), int(Kind.FRAME), int(Kind.BRANCH)


class Words26:
    """A vocabulary of lower-case letters: each is a token; new tokens follow."""

    size, begin, end = 32, 30, 31

    def __init__(self) -> None:
        self.new: list[str] = []

    def encode(self, text: str) -> list[int]:
        """Position in the alphabet; everything else is skipped."""
        return [ord(letter) - ord("a") for letter in text.lower() if "a" <= letter <= "z"]

    def decode(self, ids: Sequence[int]) -> str:
        """Letters of ids."""
        return "".join(chr(ord("a") + index) for index in ids)

    def new_token(self, name: str, written: bool = False) -> int:
        """Number after the alphabet."""
        if name not in self.new:
            self.new.append(name)
        return self.size + self.new.index(name)


def schema(names: tuple[str, ...] = ("background", "ab", "b"), tokens: int = 1) -> DataSchema:
    """One task."""
    return DataSchema((Task("action", LabelSet(names, 0)),), ("tea",), FeatureSpec("test", 4.0, 6, tokens))


def render(opener: str, anchors: list[int], answers: list[list[int]] | None = None, **settings: Any) -> Tokens:
    """Three frames in one sample, the prompt is ``<s> q``."""
    settings.setdefault("question", "q")
    tokens_per_frame = settings.pop("tokens_per_frame", 1)
    begin = settings.pop("begin", None)
    prompt, vocabulary = Prompt(**settings), Words26()
    prompt.prepare(schema(tokens=tokens_per_frame), vocabulary, opener)
    written = None if answers is None else stack([Answer(ids) for ids in answers])
    zero = torch.zeros(1, dtype=torch.int64)
    sample = torch.zeros(len(anchors), dtype=torch.int64)
    start = None if begin is None else torch.tensor([begin])
    room = 3 if begin is None else 3 - begin
    return prompt.render(zero + 3, room, sample, torch.tensor(anchors), zero, written, start)


def test_branches_follow_the_trunk_in_memory_and_their_anchor_in_position() -> None:
    tokens = render("<cls>", [0, 2])
    assert tokens.ids.tolist() == [[30, 16, 0, 0, 0, 32, 32]]
    assert tokens.visual.tolist() == [[-1, -1, 0, 1, 2, -1, -1]]
    assert tokens.places.kind.tolist() == [[P, P, F, F, F, BRANCH, BRANCH]]
    assert tokens.places.position.tolist() == [[0, 1, 2, 3, 4, 3, 5]]
    assert tokens.places.frame.tolist() == [[-1, -1, 0, 1, 2, 0, 2]]
    assert tokens.places.branch.tolist() == [[-1, -1, -1, -1, -1, 0, 1]]
    assert tokens.slots.tolist() == [5, 6]
    assert (tokens.target == IGNORED).all()


def test_separators_stand_before_every_frame_but_the_first() -> None:
    tokens = render("<cls>", [2], separator="s", tokens_per_frame=2)
    assert tokens.ids.tolist() == [[30, 16, 0, 0, 18, 0, 0, 18, 0, 0, 32]]
    assert tokens.visual.tolist() == [[-1, -1, 0, 1, -1, 2, 3, -1, 4, 5, -1]]
    assert tokens.places.frame.tolist() == [[-1, -1, 0, 0, 1, 1, 1, 2, 2, 2, 2]]


def test_targets_are_the_next_tokens_of_the_answer_whose_last_is_written_but_not_read() -> None:
    tokens = render("<cls>", [1], [[7, 8, 31]])
    assert tokens.ids[0, 5:].tolist() == [32, 7, 8]
    assert tokens.target[0, 5:].tolist() == [7, 8, 31]
    assert tokens.slots.tolist() == [5]


def test_published_supervision_includes_fixed_text_from_the_last_frame_on() -> None:
    tokens = render("xy", [2], [[7, 31]], supervise_prefix=True)
    assert tokens.ids[0, 4:].tolist() == [0, 23, 24, 7]
    assert tokens.target[0, 4:].tolist() == [23, 24, 7, 31]


def test_an_empty_opener_reads_the_last_visual_token() -> None:
    tokens = render("", [0, 2])
    assert tokens.slots.tolist() == [2, 4]
    assert tokens.ids.shape == (1, 5)


def test_a_later_step_lays_out_only_what_is_new() -> None:
    whole, step = render("<cls>", [2], separator="s"), render("<cls>", [2], separator="s", begin=2)
    assert torch.equal(step.places.position, whole.places.position[:, -3:])
    assert step.ids.tolist() == [[18, 0, 32]]
    assert step.visual.tolist() == [[-1, 0, -1]]


def writer(labels: WordLabels | SingleTokenLabels | None = None, prefix: str = "", **more: Any) -> AnswerWriter:
    """Answers with the previous action."""
    return AnswerWriter(schema(**more), labels or WordLabels(), PreviousActions(), Words26(), prefix)


def test_answers_are_closed_and_name_what_came_before() -> None:
    asked = batch(random_frames(1, 8), [[3, 5, 7]], torch.tensor([1, IGNORED, 2]))
    asked = asked._replace(segments=torch.tensor([[[1, 0, 2], [2, 2, 4], [-1, -1, -1]]]))
    answers = writer().answers(asked, torch.tensor([True, True, False]))
    assert [answer.ids for answer in answers] == [[0, 1, 0, 1, 31], [], []]


def test_the_fixed_prefix_is_no_target() -> None:
    ids, target = stack([writer(prefix="p").write([2], 0), Answer([])])
    assert ids.tolist() == [[15, 1, 31], [-1, -1, -1]]
    assert target.tolist() == [[False, True, True], [False, False, False]]


def test_single_label_tokens_are_new_and_distinct() -> None:
    assert writer(SingleTokenLabels()).label_answers(0) == [[32, 31], [33, 31], [34, 31]]


def test_classes_written_alike_are_refused() -> None:
    with pytest.raises(SettingError, match="'ab' and 'a-b' are written with the same tokens"):
        writer(names=("background", "ab", "a-b"))


def test_a_class_that_no_token_can_write_is_named() -> None:
    with pytest.raises(SettingError, match="'42' is written with no token"):
        writer(names=("background", "42"))


def overlap(rows: list[list[int]]) -> list[list[int]]:
    """How many tokens every two classes share."""
    return [[len(set(first) & set(second)) for second in rows] for first in rows]


def test_shuffled_labels_overlap_as_the_names_do() -> None:
    names, vocabulary = ["ab", "bc", "cad", "xyz"], Words26()
    plain, shuffled = WordLabels().tokens(names, vocabulary), ShuffledLabels(seed=1).tokens(names, vocabulary)
    assert overlap(shuffled) == overlap(plain)
    assert shuffled != plain
    assert shuffled == ShuffledLabels(seed=1).tokens(names, vocabulary)


def test_desynchronised_labels_keep_their_lengths_and_share_nothing() -> None:
    rows = RandomLabels().tokens(["ab", "bc", "cad"], Words26())
    assert [len(ids) for ids in rows] == [2, 2, 3]
    assert len({token for ids in rows for token in ids}) == 7
