"""The probability of every name against a plain loop."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import nearest
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames
from tests.readouts.greedy import logits_after, several_branches


def test_likelihood_is_the_softmax_of_the_names_log_probabilities() -> None:
    gen = make(GenerativeClassifier, readout=LikelihoodReadout(at_once=2), seed=3).eval()
    asked = several_branches()
    scores = gen.scores(asked).scores
    expected = torch.zeros(5, len(NAMES))
    for number, answer in enumerate(gen.writer.label_answers(0)):
        for query in range(5):
            for place, token in enumerate(answer):
                expected[query, number] += logits_after(gen, asked, query, answer[:place])[token]
    assert torch.allclose(scores, expected.log_softmax(1), atol=1e-4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("add sugar", "add sugar"), ("  Add Sugar. ", "add sugar"), ("ad salt", "add salt"), ("", "stir"), ("xx", "stir")],
)
def test_nearest_name_by_edit_distance_ties_alphabetically(text: str, expected: str) -> None:
    assert NAMES[nearest(text, NAMES)] == expected


def test_rows_that_write_less_have_room_beside_rows_that_write_long_names() -> None:
    deep = ("a a a a a a a a p", "a a a a a a a a q", "b c c c c c c c p", "b c c c c c c c q", "b d")
    labels = DataSchema((Task("action", LabelSet(deep)),), (), FeatureSpec("test", 4.0, WIDTH))
    found = set()
    for seed in range(12):
        gen = make(GenerativeClassifier, schema=labels, seed=seed).eval()
        frames = random_frames(2, 8, seed=seed)
        scores = gen.scores(batch(frames, [[1, 3, 5, 7]] * 2)).scores
        alone = torch.cat([gen.scores(batch(frames[row : row + 1], [[1, 3, 5, 7]])).scores for row in range(2)])
        assert torch.allclose(scores, alone, atol=1e-4)
        found.add(tuple(scores.argmax(1).tolist()))
    assert len(found) > 1


@pytest.mark.parametrize("opener", ["", "one two three four five six seven eight nine ten a b c d e f g"])
def test_likelihood_refuses_openers_that_it_has_no_room_for(opener: str) -> None:
    gen = make(GenerativeClassifier, readout=LikelihoodReadout(), prompt=Prompt(opener=opener)).eval()
    with pytest.raises(SettingError, match="wants an opener of 1 to 16 tokens"):
        gen.scores(several_branches())
