"""AutoContext chooses after the first epoch, once, and a checkpoint says what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.classifiers.choosing_context import ranking
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import CheckpointError, DataError, SettingError
from gad_lightning.prompts.contexts.auto import AutoContext
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.training.checkpoint_files import read_checkpoint
from tests.classifiers.choosing_context.fitting import fitted
from tests.classifiers.making import batch, make, random_frames

CHOICES = [PreviousActions(), NextActions()]


class Own(PreviousActions):
    """Of a package that checkpoints may not name."""


def of(classifier: GADClassifier) -> AutoContext:
    """The context of a classifier."""
    context = classifier.arguments["context"]
    assert isinstance(context, AutoContext)
    return context


@pytest.mark.slow
def test_a_context_is_taken_after_the_first_epoch_recorded_and_resumed_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "MOMENTS", 200)
    whole, last = fitted(tmp_path / "whole", epochs=3, context=AutoContext(CHOICES))
    taken = of(whole).chosen
    assert taken is not None, "three epochs are more than one"
    steps = int(last.stem.partition("=")[2]) // 3
    first, later = (last.with_name(f"step={count}.ckpt") for count in (steps, 2 * steps))
    for checkpoint, chosen in ((first, None), (later, taken.spec())):
        told = read_checkpoint(checkpoint)["gad_lightning"]["spec"]["init_args"]["context"]["init_args"]
        assert told["chosen"] == chosen
    for number, checkpoint in enumerate((first, later)):
        rest, _ = fitted(tmp_path / str(number), 3, checkpoint, context=AutoContext(CHOICES))
        assert type(of(rest).chosen) is type(taken)
        assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), rest.parameters(), strict=True))
    loaded = GADClassifier.load_from_checkpoint(last)
    assert type(of(loaded).chosen) is type(taken)


def test_a_context_of_ones_own_is_taken_again_where_it_is_one_of_the_candidates() -> None:
    first, second = (make(GADClassifier, context=AutoContext([PreviousActions(), Own(2)])) for _ in range(2))
    of(first).chosen = Own(2)
    checkpoint: dict[str, Any] = {}
    first.on_save_checkpoint(checkpoint)
    second.on_load_checkpoint(checkpoint)
    assert isinstance(of(second).chosen, Own)
    other = make(GADClassifier, context=AutoContext(CHOICES))
    with pytest.raises(CheckpointError, match="only classes of gad_lightning are allowed"):
        other.on_load_checkpoint(checkpoint)


def test_too_few_validation_videos_stop_the_run_before_it_trains(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="val split of ToyActions has 3 videos"):
        fitted(tmp_path, epochs=2, videos=12, context=AutoContext())


def test_a_run_of_one_epoch_is_told_that_nothing_will_be_chosen(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="AutoContext is chosen before the second epoch, and trainer.max_epochs is 1"):
        fitted(tmp_path, epochs=1, context=AutoContext(CHOICES))


def test_a_classifier_that_does_not_train_has_nothing_to_write() -> None:
    gad = make(GADClassifier, context=AutoContext())
    with pytest.raises(SettingError, match="AutoContext is chosen by a GADClassifier while it trains"):
        gad.losses(batch(random_frames(1, 8), [[3]], torch.tensor([1])))
