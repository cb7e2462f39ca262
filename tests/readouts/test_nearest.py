"""The published readout against greedy decoding."""

from __future__ import annotations

import pytest

from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.readouts.nearest import NearestReadout, _nearest
from tests.classifiers.making import NAMES, make, schema
from tests.readouts.greedy import logits_after, several_branches


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_nearest_writes_what_greedy_decoding_writes(mode: str) -> None:
    gen = make(
        GenerativeClassifier, readout=NearestReadout(max_tokens=5), schema=schema(mode=mode, short=4, chunk=4)
    ).eval()
    asked = several_branches()
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
        expected = _nearest(gen.backbone.vocabulary.decode(ids), NAMES)
        assert int(scores[query].argmax()) == expected
        assert float(scores[query, expected]) == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("add sugar", "add sugar"), ("  Add Sugar. ", "add sugar"), ("ad salt", "add salt"), ("", "stir"), ("xx", "stir")],
)
def test_nearest_name_by_edit_distance_ties_alphabetically(text: str, expected: str) -> None:
    assert NAMES[_nearest(text, NAMES)] == expected
