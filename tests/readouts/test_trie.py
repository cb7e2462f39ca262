"""Greedy decoding among the names against a plain loop."""

from __future__ import annotations

import pytest

from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.readouts.trie import TrieReadout, decisions
from tests.classifiers.making import NAMES, make
from tests.readouts.greedy import logits_after, several_branches


def test_trie_takes_the_likeliest_allowed_token_at_every_decision() -> None:
    gen = make(GenerativeClassifier, readout=TrieReadout(), seed=3).eval()
    asked = several_branches()
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


def test_a_name_that_begins_another_one_can_be_chosen() -> None:
    assert [[edge.ids for edge in node] for node in decisions([[5, 2], [5, 6, 2]])] == [[[5]], [[2], [6, 2]]]
