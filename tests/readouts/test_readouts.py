"""Readouts against what a plain loop over the unmodified language model says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import NearestReadout, nearest
from gad_lightning.readouts.trie import TrieReadout, decisions
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import Batch
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames, schema


def logits_after(classifier: Classifier, asked: Batch, query: int, ids: list[int]) -> Tensor:
    """Next-token log-probabilities after an opener and ``ids``, by one separate forward pass without cache."""
    answers = torch.full((len(asked.sample), max(1, len(ids))), -1)
    answers[query, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
    tokens = classifier.backbone.place(classifier.render(asked, (answers, torch.zeros_like(answers, dtype=torch.bool))))
    with torch.no_grad():
        states = classifier.backbone(tokens, classifier.frames(asked))
        last = tokens.slots[query] + len(ids)
        return classifier.backbone.token_logits(states.reshape(-1, states.shape[-1])[last : last + 1])[0].log_softmax(0)


def asked_of(classifier: Classifier) -> Batch:
    """Several branches on each of two trunks."""
    return batch(random_frames(2, 8), [[1, 4, 7], [0, 7]])


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_nearest_writes_what_greedy_decoding_writes(mode: str) -> None:
    gen = make(
        GenerativeClassifier, readout=NearestReadout(max_tokens=5), schema=schema(mode=mode, short=4, chunk=4)
    ).eval()
    asked = asked_of(gen)
    scores = gen.scores(asked).scores
    for query in range(5):
        ids: list[int] = []
        total = 0.0
        while len(ids) < 5:
            log_probabilities = logits_after(gen, asked, query, ids)
            best = int(log_probabilities.argmax())
            total += float(log_probabilities[best])
            if best == gen.backbone.vocabulary.end:
                break
            ids.append(best)
        expected = nearest(gen.backbone.vocabulary.decode(ids), NAMES)
        assert int(scores[query].argmax()) == expected
        assert float(scores[query, expected]) == pytest.approx(total, abs=1e-4)


def test_trie_takes_the_likeliest_allowed_token_at_every_decision() -> None:
    gen = make(GenerativeClassifier, readout=TrieReadout(), seed=3).eval()
    asked = asked_of(gen)
    scores = gen.scores(asked).scores
    answers = gen.writer.label_answers(0)
    for query in range(5):
        left, ids, total = list(range(len(NAMES))), list[int](), 0.0
        while len(left) > 1:
            log_probabilities = logits_after(gen, asked, query, ids)
            allowed = sorted({answers[c][len(ids)] for c in left})
            chosen = log_probabilities[allowed].log_softmax(0)
            ids.append(allowed[int(chosen.argmax())])
            total += float(chosen.max())
            left = [c for c in left if answers[c][: len(ids)] == ids]
        assert int(scores[query].argmax()) == left[0]
        assert float(scores[query, left[0]]) == pytest.approx(total, abs=1e-4)


def test_likelihood_is_the_softmax_of_the_names_log_probabilities() -> None:
    gen = make(GenerativeClassifier, readout=LikelihoodReadout(at_once=2), seed=3).eval()
    asked = asked_of(gen)
    scores = gen.scores(asked).scores
    expected = torch.zeros(5, len(NAMES))
    for number, answer in enumerate(gen.writer.label_answers(0)):
        for query in range(5):
            for place, token in enumerate(answer):
                expected[query, number] += logits_after(gen, asked, query, answer[:place])[token]
    assert torch.allclose(scores, expected.log_softmax(1), atol=1e-4)


def test_a_name_that_begins_another_one_can_be_chosen() -> None:
    assert [[edge.ids for edge in node] for node in decisions([[5, 2], [5, 6, 2]])] == [[[5]], [[2], [6, 2]]]


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
        gen.scores(asked_of(gen))
