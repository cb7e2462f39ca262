"""The last layer's feed-forward part, at the slots alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.execution.last_layer import feed_forward_at
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from tests.backbones.test_causal_lm import LORA, save_model
from tests.classifiers.making import batch, make, random_frames, schema

EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}


@pytest.mark.parametrize(("family", "settings"), [("Llama", {}), ("Mixtral", EXPERTS), ("Qwen3", {})])
def test_slot_states_equal_those_of_all_tokens(family: str, settings: dict[str, int], tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, family, **settings), lora=LORA)
    disc = make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="one_pass", short=8, chunk=64)).eval()
    asked = batch(random_frames(2, 20), [[3, 9], [0, 7, 19]])
    tokens, frames = backbone.place(disc.render(asked)), disc.frames(asked)
    seen: list[int] = []
    handle = backbone.blocks[-1].mlp.register_forward_hook(lambda _, given, made: seen.append(given[0].shape[1]))
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
