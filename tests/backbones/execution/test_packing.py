"""Samples that share a row are what they were alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gad_lightning.backbones import base
from gad_lightning.backbones.execution import packing
from gad_lightning.backbones.execution.packing import pack
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.types import Batch, Kind
from tests.classifiers.making import batch, make, random_frames, schema


def uneven() -> Batch:
    """Six samples of 3 to 20 frames, asked at some of them."""
    counts = [20, 3, 4, 9, 5, 3]
    asked = [[2, 19], [0, 2], [3], [1, 8], [4], [0, 1, 2]]
    frames = random_frames(6, 20)
    for row, count in enumerate(counts):
        frames[row, count:] = 0
    labels = torch.arange(11) % 5
    return batch(frames, asked, labels)._replace(frame_counts=torch.tensor(counts))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (DiscriminativeClassifier, {}),
        (GADClassifier, {}),
        (GADClassifier, {"prompt": Prompt(opener="")}),
        (GenerativeClassifier, {"prompt": Prompt(supervise_prefix=True)}),
    ],
)
def test_losses_gradients_and_scores_are_the_same(
    kind: type[Classifier], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, found = uneven(), []
    for together in (True, False):
        if not together:
            monkeypatch.setattr(base, "pack", lambda tokens: tokens)
        classifier = make(kind, schema=schema(mode="one_pass", short=6), **more).double()
        classifier.eval()  # no dropout, whose draws depend on the layout
        losses = classifier.losses(asked._replace(frames=asked.frames.double()))
        sum(loss.sum / loss.count for loss in losses.values()).backward()
        gradients = {name: w.grad for name, w in classifier.named_parameters() if w.grad is not None}
        scores = classifier.scores(asked._replace(frames=asked.frames.double())).scores
        found.append(({name: (loss.sum, loss.count) for name, loss in losses.items()}, gradients, scores))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-10)


def test_short_samples_share_rows_and_the_longest_stays() -> None:
    classifier = make(DiscriminativeClassifier, schema=schema(mode="one_pass", short=6))
    tokens = classifier.render(uneven())
    packed = pack(tokens)
    assert packed.ids.shape[1] == tokens.ids.shape[1]
    assert len(packed.ids) == 4 < len(tokens.ids) == 6
    assert (packed.places.kind != Kind.PAD).sum() == (tokens.places.kind != Kind.PAD).sum()
    assert packed.query.reshape(-1)[packed.slots].tolist() == list(range(11))
    even = classifier.render(batch(random_frames(3, 8), [[7]] * 3))
    assert pack(even) is even


def test_rows_stay_where_few_would_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "WORTH", 0.4)
    tokens = make(DiscriminativeClassifier, schema=schema(mode="one_pass", short=6)).render(uneven())
    assert pack(tokens) is tokens
