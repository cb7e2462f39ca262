"""What GAD promises beside the discriminative classifier."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.objectives.previous_action_head import PreviousActionHead
from gad_lightning.prompts.contexts.previous import PreviousActions
from tests.classifiers.making import batch, make, random_frames, schema, train


def test_gad_with_weight_0_equals_disc_over_30_steps() -> None:
    disc = make(DiscriminativeClassifier)
    gad = make(GADClassifier, context=PreviousActions(), generation_weight=0.0)
    assert gad.load_state_dict(disc.state_dict(), strict=True)
    train(disc, 30)
    train(gad, 30)
    frames = random_frames(2, 8, 99)
    assert torch.allclose(disc(frames), gad(frames), atol=1e-5)


def test_gad_with_weight_1_learns_something_else() -> None:
    disc, gad = make(DiscriminativeClassifier), make(GADClassifier)
    gad.load_state_dict(disc.state_dict())
    train(disc, 5)
    train(gad, 5)
    frames = random_frames(2, 8, 99)
    assert not torch.allclose(disc(frames), gad(frames), atol=1e-3)


@pytest.mark.parametrize(("mode", "answered"), [("window", 4), ("one_pass", 1)])
def test_by_default_all_windows_are_answered_and_an_eighth_of_one_pass(mode: str, answered: int) -> None:
    gad = make(GADClassifier, schema=schema(mode=mode, short=8))
    draw = torch.tensor([0.1, 0.2, 0.3, 0.9])
    losses = gad.losses(batch(random_frames(1, 8), [[1, 2, 3, 4]], torch.ones(4, dtype=torch.int64), draw))
    assert losses["generation"].count == answered


def test_only_a_share_of_the_queries_is_answered() -> None:
    gad = make(GADClassifier, answer_fraction=0.25)
    draw = torch.tensor([0.1, 0.2, 0.3, 0.9])
    losses = gad.losses(batch(random_frames(1, 8), [[1, 2, 3, 4]], torch.ones(4, dtype=torch.int64), draw))
    assert losses["generation"].count == 2
    assert losses["classification"].count == 4


def test_losses_have_the_names_that_objectives_state() -> None:
    gad = make(GADClassifier, objectives=[PreviousActionHead(), PreviousActionHead(own_slot=True)])
    losses = gad.losses(batch(random_frames(1, 8), [[3]], torch.tensor([1])))
    assert list(losses) == ["classification", "generation", "previous_action", "previous_action_2"]
    gen = make(GenerativeClassifier)
    assert list(gen.losses(batch(random_frames(1, 8), [[3]], torch.tensor([1])))) == ["generation"]
