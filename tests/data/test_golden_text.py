"""Texts, label masks and previous actions of the paper's public code, as stored in ../shared/golden/windows_public.

Tokens are compared as text, on a vocabulary that splits as the golden files' does: a known word with the space before
it is one token, and so are ``?`` with the new line after it, a comma, a colon and a new line.

The published answer "background" has no end token: ``WordLabels(close_background=False)``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.data.benchmarks.annotation_files import read_json
from gad_lightning.data.benchmarks.class_names import clean_name
from gad_lightning.prompts.answers import AnswerWriter, stack
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.contexts.published_previous_action import PublishedPreviousAction
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.segments import cut
from gad_lightning.types import IGNORED, Batch

KINDS, DATA, PARTS = ("gen", "disc", "gad"), ("crosstask", "thumos"), ("train", "test")
KEYS = {"crosstask": "CrossTask", "thumos": "THUMOS"}
OPENERS = {"gen": "\nAssistant:", "disc": "<cls>", "gad": "<cls>"}
END = "<|eot_id|>"
PIECES = re.compile(r"<\|\w+\|>|<\w+>| ?\w+| ?[^\w\s]+\n*|\n+|\s+")


class SplitWords:
    """Tokens are the pieces themselves, numbered as they come."""

    size = 10_000

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.new: list[str] = []
        self.begin, self.end = (self.number(name) for name in ("<|begin_of_text|>", END))

    def number(self, piece: str) -> int:
        """Number of a piece, a new one for a new piece."""
        if piece not in self.pieces:
            self.pieces.append(piece)
        return self.pieces.index(piece)

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces of a text."""
        return [self.number(piece) for piece in PIECES.findall(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return "".join(self.piece(index) for index in ids)

    def piece(self, index: int) -> str:
        """The text of one id."""
        return self.pieces[index] if index < self.size else self.new[index - self.size]

    def new_token(self, name: str, written: bool = False) -> int:
        """Number after the vocabulary."""
        if name not in self.new:
            self.new.append(name)
        return self.size + self.new.index(name)


class Case:
    """One golden file, and what the prompts make of its windows."""

    def __init__(self, shared: Path, kind: str, data: str, part: str) -> None:
        self.kind, self.vocabulary = kind, SplitWords()
        self.golden = json.loads((shared / "golden" / "windows_public" / f"{kind}_{data}_{part}.json").read_text())
        lists = read_json(shared / "data" / "annotations" / "class_lists" / "gad_data_info.json.gz")
        names = tuple(clean_name(name) for name in lists[KEYS[data]]["class_names"])
        self.classes = LabelSet(names, 0)
        schema = DataSchema((Task("action", self.classes),), features=FeatureSpec("test", 1.0, 2))
        self.prompt = Prompt(supervise_prefix=True)
        self.prompt.prepare(schema, self.vocabulary, OPENERS[kind])
        told: AuxiliaryContext = (
            PublishedPreviousAction(self.golden["short_len"]) if data == "crosstask" else NoContext()
        )
        prefix = "\nAssistant:" if kind == "gad" else ""
        self.writer = AnswerWriter(
            schema, WordLabels(close_background=False), told if kind == "gad" else NoContext(), self.vocabulary, prefix
        )

    def index(self, label: int | str) -> int:
        """Class index; some files have names."""
        return label if isinstance(label, int) else self.classes.names.index(label)

    def batch(self, window: dict[str, Any]) -> Batch:
        """One window as a batch of one."""
        frames, zero = len(window["frame_indices"]), torch.zeros(1, dtype=torch.int64)
        labels = [self.index(label) for label in self.golden["frame_labels"][window["video"]]]
        return Batch(
            frames=torch.zeros(1, frames, 1, 2),
            frame_counts=zero + frames,
            first_frame=zero,
            goal=zero - 1,
            segments=torch.tensor([list(segment) for segment in cut(labels, skip=[0])]).reshape(1, -1, 3),
            sample=zero,
            anchor=zero + frames - 1,
            frame=zero + window["frame_indices"][-1],
            horizon=zero,
            task=zero,
            label=zero + self.index(window["label"]),
            video=zero,
            query_index=zero,
            uniform=torch.zeros(1),
        )

    def rendered(self, window: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
        """Tokens of a window, and what is learned where, in the words of the golden files."""
        batch = self.batch(window)
        answers = None if self.kind == "disc" else stack(self.writer.answers(batch, torch.tensor([True])))
        columns = (batch.frame_counts, batch.frames.shape[1], batch.sample, batch.anchor, batch.task)
        tokens = self.prompt.render(*columns, answers)
        assert tokens.places.position[0].tolist() == list(range(tokens.ids.shape[1])), "one row without padding"
        visual, ids, target = tokens.visual[0].tolist(), tokens.ids[0].tolist(), tokens.target[0].tolist()
        words = ["<v>" if row >= 0 else self.vocabulary.piece(index) for row, index in zip(visual, ids, strict=True)]
        learned = [
            {"position": place, "input_token": word, "target_token": self.vocabulary.piece(index)}
            for place, (word, index) in enumerate(zip(words, target, strict=True))
            if index != IGNORED
        ]
        if target[-1] != IGNORED:  # the published code reads the last token of an answer too, to no end
            words.append(self.vocabulary.piece(target[-1]))
        return words, learned


def split(text: str) -> list[str]:
    """Tokens of a golden text."""
    frames = re.sub(r"\{V\*(\d+)\}", lambda count: "<v>" * int(count[1]), text)
    return PIECES.findall(frames)


@pytest.fixture(params=[(k, d, p) for k in KINDS for d in DATA for p in PARTS], ids="_".join)
def case(request: pytest.FixtureRequest, shared: Path) -> Case:
    return Case(shared, *request.param)


def test_the_stand_in_vocabulary_counts_as_the_golden_one(case: Case) -> None:
    for window in case.golden["windows"]:
        assert len(split(window["text"])) == window["num_tokens_of_text"]


def test_texts_are_the_published_ones(case: Case) -> None:
    for window in case.golden["windows"]:
        expected = split(window["text"])
        if case.kind == "disc":
            expected.append("<cls>")  # the published code appends it as a vector
        assert case.rendered(window)[0] == expected


LEARNING = [
    pytest.param("gen", "crosstask", id="gen_crosstask"),
    pytest.param("gen", "thumos", id="gen_thumos"),
    pytest.param("gad", "crosstask", id="gad_crosstask"),
    pytest.param("gad", "thumos", id="gad_thumos"),
]


@pytest.mark.parametrize(("kind", "data"), LEARNING)
def test_what_is_learned_where_is_the_published(shared: Path, kind: str, data: str) -> None:
    case = Case(shared, kind, data, "train")
    for window in case.golden["windows"]:
        assert case.rendered(window)[1] == window["learn"]
        (text,) = window["learned_text"]
        assert "".join(token["target_token"] for token in window["learn"]) == text


@pytest.mark.parametrize(("kind", "data"), LEARNING)
def test_by_default_answers_to_background_are_closed_and_nothing_else_differs(
    shared: Path, kind: str, data: str
) -> None:
    published, ours = (Case(shared, kind, data, "train") for _ in range(2))
    ours.writer.close_background = True
    unclosed = 0
    for window in published.golden["windows"]:
        expected = published.rendered(window)[0]
        unclosed += expected[-1] == " background"
        assert ours.rendered(window)[0] == ([*expected, END] if expected[-1] == " background" else expected)
    assert unclosed > 0


def test_labels_are_those_of_the_newest_frame(case: Case) -> None:
    for window in case.golden["windows"]:
        labels = case.golden["frame_labels"][window["video"]]
        assert window["label"] == labels[window["frame_indices"][-1]]


@pytest.mark.parametrize("part", PARTS)
def test_previous_actions_are_the_published_ones(shared: Path, part: str) -> None:
    """Of the GAD texts on CrossTask: what stands after the comma, or nothing."""
    case, told = Case(shared, "gad", "crosstask", part), 0
    for window in case.golden["windows"]:
        answer = window["text"].split("\nAssistant: ")[1].removesuffix(END)
        (written,) = case.writer.answers(case.batch(window), torch.tensor([True]))
        ours = case.vocabulary.decode(written.ids[written.template :]).strip().removesuffix(END)
        assert ours == answer
        told += "," in answer
    assert told > 3
