"""The text of a memory: its words, its one length, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import Kind
from tests.classifiers.making import batch, make, random_frames, schema


def test_the_text_is_of_one_length_and_ends_with_the_newest() -> None:
    classifier = make(DiscriminativeClassifier, memory=VerbalizedMemory(3))
    memory, vocabulary = classifier.memory, classifier.backbone.vocabulary
    assert memory is not None
    ids = memory.tokens(torch.tensor([[-1, 3, 4], [-1, -1, -1], [1, 1, 2]]))
    assert ids.shape == (3, memory.length)
    assert memory.length == 3 * 3  # two words and a comma, three times
    texts = [vocabulary.decode([token for token in row if token != memory.nothing]) for row in ids.tolist()]
    assert [text.replace(" ", "") for text in texts] == ["stirsugar,stir,", "", "addsugar,addsugar,addsalt,"]
    assert ids[0, :4].tolist() == [memory.nothing] * 4  # room is filled in front


def test_it_stands_between_question_and_frames_and_moves_no_position() -> None:
    classifier = make(DiscriminativeClassifier, memory=VerbalizedMemory(2), prompt=Prompt(question="What?"))
    memory = classifier.memory
    assert memory is not None
    asked = batch(random_frames(2, 4), [[3], [3]])._replace(remembered=torch.tensor([[-1, -1], [1, 4]]))
    tokens = classifier.render(asked)
    question = int(classifier.prompt.prompt_lengths[0]) - memory.length
    assert torch.equal(tokens.ids[:, question : question + memory.length], memory.tokens(asked.remembered))
    assert (tokens.places.kind[:, question : question + memory.length] == Kind.PROMPT).all()
    assert torch.equal(tokens.places.position[0], tokens.places.position[1])


def test_single_tokens_make_it_short() -> None:
    classifier = make(DiscriminativeClassifier, memory=VerbalizedMemory(5, labels=SingleTokenLabels()))
    assert classifier.memory is not None
    assert classifier.memory.length == 5 * 2


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingError, match=r"segments of VerbalizedMemory must be at least 1, got 0"):
        VerbalizedMemory(0)
    with pytest.raises(SettingError, match=r"replaced of VerbalizedMemory is a share (.|\n)* got 1.0"):
        VerbalizedMemory(replaced=1.0)
    with pytest.raises(SettingError, match="labels"):
        VerbalizedMemory(labels="WordLabels")  # type: ignore[arg-type]  # as a user may write it
    with pytest.raises(SettingError, match="memory"):
        make(DiscriminativeClassifier, memory=16)


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ((Task("verb", LabelSet(("cut", "stir"))), Task("noun", LabelSet(("salt", "egg")))), "2 tasks"),
        ((Task("clip", LabelSet(("cut", "stir")), per_frame=False),), "one label a clip"),
        ((Task("action", LabelSet(("cut", "stir"), multi_label=True)),), "several labels a frame"),
    ],
)
def test_data_that_it_cannot_remember_is_refused(tasks: tuple[Task, ...], found: str) -> None:
    data = DataSchema(tasks, features=schema().features)
    with pytest.raises(SettingError, match=rf"model\.memory remembers (.|\n)*the data has {found}"):
        make(DiscriminativeClassifier, schema=data, memory=VerbalizedMemory())
