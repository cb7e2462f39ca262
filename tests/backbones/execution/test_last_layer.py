"""The last layer's feed-forward part, at the slots alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.execution.last_layer import feed_forward_at
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from tests.backbones.test_causal_lm import LORA, save_model
from tests.classifiers.making import batch, make, random_frames, schema


def widths_of(layer: nn.Module) -> tuple[list[int], RemovableHandle]:
    """A list that gets the number of tokens of each pass through the feed-forward part."""
    seen: list[int] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], made: object) -> None:
        """Note one."""
        seen.append(given[0].shape[1])

    return seen, layer.get_submodule("mlp").register_forward_hook(note)


EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}


@pytest.mark.parametrize(("family", "settings"), [("Llama", {}), ("Mixtral", EXPERTS), ("Qwen3", {})])
def test_slot_states_equal_those_of_all_tokens(family: str, settings: dict[str, int], tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, family, **settings), lora=LORA)
    disc = make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="one_pass", short=8, chunk=64)).eval()
    asked = batch(random_frames(2, 20), [[3, 9], [0, 7, 19]])
    tokens, frames = backbone.place(disc.render(asked)), disc.frames(asked)
    seen, handle = widths_of(backbone.blocks[-1])
    with torch.no_grad():
        everywhere = tokens.at_slots(backbone(tokens, frames))
        at_slots = backbone.slot_states(tokens, frames)
    handle.remove()
    assert torch.allclose(at_slots, everywhere, atol=1e-6 * float(everywhere.abs().max()))
    assert seen == [tokens.ids.shape[1], 5]


def test_with_gradients_every_token_is_read(tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, "Llama"), lora=LORA, gradient_checkpointing=True)
    disc = make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="one_pass", short=8, chunk=64)).train()
    asked = batch(random_frames(1, 20), [[3, 9]])
    backbone.slot_states(backbone.place(disc.render(asked)), disc.frames(asked)).sum().backward()
    assert all(w.grad is not None for name, w in backbone.connector.named_parameters())


class ReadsFrames(WriteAnswer):
    """An objective that reads states of frames too."""

    reads_trunk = True


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier, GenerativeClassifier])
def test_a_step_that_spares_the_trunk_has_the_losses_and_gradients_of_one_that_does_not(
    kind: type[Classifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = CausalLM(save_model(tmp_path, "Llama"), lora=LORA)
    windows = schema(mode="one_pass", short=8, chunk=64)
    # queries of one frame: their slots are one token where the last visual token is read
    more: dict[str, Any] = (
        {"slot": LastVisualSlot(), "prompt": Prompt(opener="")} if kind is not GenerativeClassifier else {}
    )
    classifier = make(kind, backbone=backbone, schema=windows, **more).eval()
    asked = batch(random_frames(2, 20), [[3, 9, 9], [0, 7, 19]])
    trained = [weight for weight in classifier.parameters() if weight.requires_grad]
    found = []
    for _ in ("spared", "whole"):
        seen: list[int] = []
        handle = backbone.blocks[-1].mlp.register_forward_hook(
            lambda _, given, made, s=seen: s.append(given[0].shape[1])
        )
        losses = classifier.losses(asked)
        handle.remove()
        total = torch.stack([loss.sum for loss in losses.values()]).sum()
        found.append((seen[0], total, torch.autograd.grad(total, trained, allow_unused=True)))
        monkeypatch.setattr(backbone, "states_at", lambda rows, *given: backbone(*given))
    (few, ours, slopes), (every, theirs, wanted) = found
    assert few < every
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    for one, other in zip(slopes, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6 * float(other.abs().max()))


def test_slot_states_of_queries_that_share_a_slot_have_its_gradient_once_each(tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, "Llama"), lora=LORA)
    more: dict[str, Any] = {"slot": LastVisualSlot(), "prompt": Prompt(opener="")}
    disc = make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="one_pass", short=8), **more).eval()
    asked = batch(random_frames(1, 20), [[9, 9, 12]])
    tokens, frames = backbone.place(disc.render(asked)), disc.frames(asked)
    trained = [weight for weight in backbone.connector.parameters() if weight.requires_grad]
    spared = torch.autograd.grad(backbone.slot_states(tokens, frames).sum(), trained)
    whole = torch.autograd.grad(tokens.at_slots(backbone(tokens, frames)).sum(), trained)
    torch.testing.assert_close(spared, whole, rtol=1e-4, atol=1e-5)


def test_an_objective_that_reads_frames_has_all_tokens_whole() -> None:
    disc = make(DiscriminativeClassifier, objectives=[ReadsFrames()])
    seen, _ = widths_of(disc.backbone.blocks[-1])
    asked = batch(random_frames(1, 20), [[19]])
    disc.losses(asked)
    assert isinstance(disc, DiscriminativeClassifier)
    assert disc.writing is not None
    assert seen == [disc.render(asked, disc.writing.text(asked)).ids.shape[1]]


class Paired(nn.Module):
    """A layer whose feed-forward part gives router scores beside its states, as gpt-oss has it."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = Twice()

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        made, router = self.mlp(states)
        return states + made, router


class Twice(nn.Module):
    """Doubles."""

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * states, states[..., 0]


def test_what_a_feed_forward_part_gives_beside_its_states_stays() -> None:
    states = torch.arange(12.0).view(2, 3, 2)
    with feed_forward_at(layer := Paired(), torch.tensor([1, 5])):
        made, router = layer(states)
    assert router.shape == (1, 2)
    assert torch.equal(made.view(6, 2)[[1, 5]], 3 * states.view(6, 2)[[1, 5]])
    assert torch.equal(made.view(6, 2)[[0, 2, 3, 4]], states.view(6, 2)[[0, 2, 3, 4]])
    assert torch.equal(layer(states)[0], 3 * states)


def test_a_layer_without_such_a_part_works_as_ever() -> None:
    layer = nn.Linear(2, 2)
    with feed_forward_at(layer, torch.tensor([0])):
        assert layer(torch.ones(1, 3, 2)).shape == (1, 3, 2)
