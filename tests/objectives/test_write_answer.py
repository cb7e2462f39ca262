"""GAD's objective: what is written, for whom, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.types import IGNORED
from tests.classifiers.making import batch, make, random_frames


def test_the_loss_is_the_mean_over_tokens_then_over_answered_queries() -> None:
    gad = make(GADClassifier, context=PreviousActions(), answer_fraction=0.5).eval()
    asked = batch(
        random_frames(2, 8), [[1, 4, 7], [6]], torch.tensor([1, 2, 3, IGNORED]), torch.tensor([0.1, 0.9, 0.2, 0.3])
    )
    tokens = gad.render(asked, gad.writing.text(asked))
    placed = gad.backbone.place(tokens)
    with torch.no_grad():
        states = gad.backbone(placed, gad.frames(asked))
        expected = 0.0
        for query in (0, 2):
            rows, columns = ((tokens.target != IGNORED) & (tokens.query == query)).nonzero(as_tuple=True)
            chances = gad.backbone.token_logits(states[rows, columns]).log_softmax(1)
            expected -= float(chances.gather(1, tokens.target[rows, columns].unsqueeze(1)).mean())
        loss = gad.losses(asked)["generation"]
    assert loss.count == 2
    assert float(loss.sum) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_fraction_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(SettingError, match=f"must lie in \\(0, 1\\], got {share}"):
        WriteAnswer(answer_fraction=share)


def test_alone_among_the_objectives_it_is_made_again_from_a_checkpoint() -> None:
    classifier: Any = make(DiscriminativeClassifier, objectives=[WriteAnswer(answer_fraction=0.5)])
    checkpoint: dict[str, Any] = {}
    classifier.on_save_checkpoint(checkpoint)
    again: Any = Classifier.made_again(checkpoint, "here", "cpu", ("gad_lightning",))
    assert again.objectives[0].answer_fraction == 0.5
