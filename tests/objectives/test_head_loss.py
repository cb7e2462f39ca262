"""The head's cross entropy in parts is that of all rows at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.objectives import head_loss as module
from gad_lightning.objectives.head_loss import head_loss
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from tests.backbones.folders import family_folder, llama_folder
from tests.classifiers.making import make

ROWS = 7
BACKBONES: dict[str, Callable[[Path], Backbone]] = {
    "trained whole, head tied": lambda home: CausalLM(str(llama_folder(home)), lora=None),
    "LoRA on the head": lambda home: CausalLM(str(llama_folder(home)), lora={"r": 4}, lora_on_head=True),
    "DoRA on the head": lambda home: CausalLM(
        str(llama_folder(home)), lora={"r": 4, "use_dora": True}, lora_on_head=True
    ),
    "LoRA, logits capped": lambda home: CausalLM(
        str(family_folder(home, "Gemma2", sliding_window=256, final_logit_softcapping=1.0)), lora={"r": 4}
    ),
    "tiny": lambda home: TinyBackbone(hidden_size=32, num_layers=2),
}


def classifier_on(kind: str, home: Path) -> GenerativeClassifier:
    """One that writes new tokens, which have rows of their own; what is 0 at first is not."""
    made = make(GenerativeClassifier, backbone=BACKBONES[kind](home), labels=SingleTokenLabels())
    for name, weight in made.backbone.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    assert isinstance(made, GenerativeClassifier)
    return made


def rows_of(backbone: Backbone, number: int = ROWS) -> tuple[Tensor, Tensor, Tensor]:
    """States, targets of which some are new tokens, and weights."""
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(number, backbone.hidden_size, generator=generator, requires_grad=True)
    target = torch.arange(number) % 3 + backbone.vocabulary.size - 1
    return states, target, torch.rand(number, generator=generator)


def whole(backbone: Backbone, states: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """All rows at once."""
    return (cross_entropy(backbone.token_logits(states), target, reduction="none") * weight).sum()


@pytest.mark.parametrize("kind", BACKBONES)
def test_sum_and_gradients_are_those_of_all_rows_at_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = classifier_on(kind, tmp_path).backbone
    monkeypatch.setitem(module.LOGITS, "cpu", 3 * backbone.vocabulary.size)
    states, target, weight = rows_of(backbone)
    trained = [states, *(own for own in backbone.parameters() if own.requires_grad)]
    found, wanted = head_loss(backbone, states, target, weight), whole(backbone, states, target, weight)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0)
    ours = torch.autograd.grad(3 * found, trained, allow_unused=True)
    theirs = torch.autograd.grad(3 * wanted, trained, allow_unused=True)
    assert [own is None for own in ours] == [own is None for own in theirs]
    for one, other in zip(ours, theirs, strict=True):
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6 * float(other.abs().max()))


def test_no_more_rows_of_logits_than_said_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = classifier_on("tiny", Path()).backbone
    monkeypatch.setitem(module.LOGITS, "cpu", 3 * backbone.vocabulary.size)
    asked: list[int] = []
    logits = backbone.token_logits

    def counted(states: Tensor) -> Tensor:
        """Note how many rows are asked for."""
        asked.append(len(states))
        return logits(states)

    monkeypatch.setattr(backbone, "token_logits", counted)
    head_loss(backbone, *rows_of(backbone))
    assert asked == [3, 3, 1]


def test_without_gradients_nothing_is_kept_and_without_rows_there_is_a_gradient_of_zeros() -> None:
    backbone = classifier_on("tiny", Path()).backbone
    states, target, weight = rows_of(backbone)
    with torch.no_grad():
        alone = head_loss(backbone, states, target, weight)
    assert not alone.requires_grad
    torch.testing.assert_close(alone, head_loss(backbone, states, target, weight).detach(), rtol=0, atol=0)
    none = head_loss(backbone, *rows_of(backbone, 0))
    none.backward()
    assert float(none) == 0
    written = backbone.new_tokens.output
    assert written is not None
    assert written.grad is not None  # every process has the same gradients, or all would wait
    assert not written.grad.any()


def test_operations_can_be_counted_and_are_those_of_all_rows_at_once() -> None:
    backbone = classifier_on("tiny", Path()).backbone
    counted = []
    for rule in (head_loss, whole):
        with FlopCounterMode(backbone, display=False) as counter:  # its hooks refuse leaves
            rule(backbone, *rows_of(backbone)).backward()
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_gradients_it_gives_to_all_rows_at_once(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = classifier_on("tiny", Path()).backbone
    monkeypatch.setitem(module.LOGITS, "cpu", 3 * backbone.vocabulary.size)
    states, target, weight = rows_of(backbone)
    with torch.autocast("cpu", dtype):
        losses = [rule(backbone, states, target, weight) for rule in (head_loss, whole)]
    ours, theirs = (torch.autograd.grad(loss, states)[0] for loss in losses)
    assert ours.dtype == theirs.dtype
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.01 * float(theirs.abs().max()))
