"""The probability of every name against a plain loop."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.likelihood import LikelihoodReadout
from tests.classifiers.making import NAMES, make
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


@pytest.mark.parametrize("opener", ["", "one two three four five six seven eight nine ten a b c d e f g"])
def test_likelihood_refuses_openers_that_it_has_no_room_for(opener: str) -> None:
    gen = make(GenerativeClassifier, readout=LikelihoodReadout(), prompt=Prompt(opener=opener)).eval()
    with pytest.raises(SettingError, match="wants an opener of 1 to 16 tokens"):
        gen.scores(several_branches())
