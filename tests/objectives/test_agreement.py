"""The weight of the text follows the cosine of both losses' gradients at the slot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.objectives.agreement import EVERY, REMEMBERED, GradientAgreement
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.types import Loss
from tests.classifiers.choosing_context.fitting import fitted
from tests.classifiers.making import batch, make, random_frames
from tests.training.processes import start

ONE = torch.tensor(1.0)


def measured(first: torch.Tensor, second: torch.Tensor, processes: int = 1) -> GradientAgreement:
    """The agreement of two losses with these gradients, (Q, H)."""
    agreement, at = GradientAgreement(), torch.zeros_like(first, requires_grad=True)
    agreement.measure(Loss((at * first).sum(), ONE), Loss((at * second).sum(), ONE), at, processes)
    return agreement


def test_the_weight_is_the_cosine_and_never_below_0() -> None:
    east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert measured(east, 3 * east).weight == pytest.approx(1.0)
    assert measured(east, east + north).weight == pytest.approx(0.5**0.5)
    assert measured(east, north).weight == 0.0
    opposite = measured(east, -east)
    assert opposite.weight == 0.0
    opposite.step()
    assert opposite.mean == pytest.approx(-1.0)


@pytest.mark.parametrize("size", [0.0, 1e30, float("nan"), float("inf")])
def test_gradients_that_vanish_or_overflow_are_not_measured(size: float) -> None:
    agreement = measured(torch.tensor([[size]]), torch.tensor([[1.0]]))
    agreement.step()
    assert agreement.measured() == [0.0, 0.0]


def test_queries_without_a_text_do_not_count() -> None:
    first, second = torch.tensor([[1.0, 0.0], [5.0, 5.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert measured(first, second).weight == pytest.approx(1.0)
    assert not measured(first, torch.zeros(2, 2)).pending


def test_what_no_optimizer_step_followed_is_not_kept() -> None:
    agreement = measured(torch.ones(1, 2), torch.ones(1, 2))
    assert agreement.count == 0
    agreement.step()
    assert (agreement.mean, agreement.count, agreement.pending) == (1.0, 1, [])


def measure_half(rank: int, folder: Path) -> None:
    """Measure the agreement of every other query in one of two processes, and write the weight down."""
    torch.distributed.init_process_group("gloo")
    first, second = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    weight = measured(first[rank::2], second[rank::2], processes=2).weight
    (folder / str(rank)).write_text(str(weight))
    torch.distributed.destroy_process_group()


@pytest.mark.slow  # starts processes of its own
def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    first, second = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    whole = measured(first, second).weight
    assert whole > 0
    assert start(2, measure_half, tmp_path) == [0, 0]
    assert [float((tmp_path / str(rank)).read_text()) for rank in range(2)] == pytest.approx([whole, whole])


def test_old_measurements_fade() -> None:
    agreement = GradientAgreement()
    agreement.mean, agreement.count = 1.0, 1000
    agreement.pending = [0.0]
    assert agreement.weight == pytest.approx(1 - 1 / REMEMBERED)


@pytest.mark.parametrize("slot", [None, WindowMeanSlot()], ids=["plain", "told of the frames"])
def test_the_token_loss_is_weighed_and_the_class_loss_left_alone(slot: WindowMeanSlot | None) -> None:
    asked = batch(random_frames(2, 8), [[1, 4, 7], [0, 2, 6]], torch.tensor([1, 2, 3, 4, 1, 2]))
    plain = make(GADClassifier, context=PreviousActions(), slot=slot)
    agree = make(GADClassifier, context=PreviousActions(), slot=slot, generation_weight="agree")
    agree.load_state_dict(plain.state_dict())
    usual, weighed = plain.losses(asked), agree.losses(asked)
    assert isinstance(agree, GADClassifier)
    assert agree.agreement is not None
    weight = agree.agreement.weight
    assert 0 <= weight <= 1
    assert len(agree.agreement.pending) == 1
    before, after = ({name: loss.sum.item() for name, loss in found.items()} for found in (usual, weighed))
    assert after["classification"] == pytest.approx(before["classification"], rel=1e-5)
    assert after["generation"] == pytest.approx(weight * before["generation"], rel=1e-5)


def test_prediction_measures_nothing() -> None:
    gad = make(GADClassifier, generation_weight="agree").eval()
    gad.losses(batch(random_frames(1, 8), [[3]], torch.tensor([1])))
    assert isinstance(gad, GADClassifier)
    assert gad.agreement is not None
    assert not gad.agreement.pending


@pytest.mark.parametrize("mode", ["one_pass", pytest.param("window", marks=pytest.mark.slow)])
def test_a_resumed_run_ends_as_the_whole_one_to_the_bit(mode: str, tmp_path: Path) -> None:
    settings = {"context": PreviousActions(), "generation_weight": "agree", "answer_fraction": 1.0}
    whole, last = fitted(tmp_path / "whole", 6, mode=mode, **settings)
    steps = int(last.stem.partition("=")[2])
    assert steps > EVERY + 2
    middle = last.with_name(f"step={EVERY + 2}.ckpt")
    rest, _ = fitted(tmp_path / "rest", 6, middle, mode=mode, **settings)
    assert whole.agreement is not None
    assert rest.agreement is not None
    assert whole.agreement.count == 1 + (steps - 1) // EVERY
    assert (whole.agreement.mean, whole.agreement.count) == (rest.agreement.mean, rest.agreement.count)
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), rest.parameters(), strict=True))
    loaded = GADClassifier.load_from_checkpoint(last)
    assert loaded.agreement is not None
    assert loaded.agreement.mean == whole.agreement.mean


def test_where_text_and_slot_never_meet_it_is_refused() -> None:
    with pytest.raises(SettingError, match="the text of WriteParallel does not follow the slot"):
        make(OrderedGADClassifier, context=PreviousActions(), generation_weight="agree")
    with pytest.raises(SettingError, match="a slot that is a token of its own"):
        make(GADClassifier, slot=LastVisualSlot(), generation_weight="agree")


@pytest.mark.parametrize("given", [[2.0, 1.0], "mean", [0.5], None, [0.5, -1.0]])
def test_a_damaged_measurement_of_a_checkpoint_is_named(given: object) -> None:
    with pytest.raises(CheckpointError, match="agreement"):
        GradientAgreement().take(given)


def test_another_word_is_refused() -> None:
    with pytest.raises(SettingError, match="generation_weight is 'agre'"):
        make(GADClassifier, generation_weight="agre")
