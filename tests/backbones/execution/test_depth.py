"""The lowest layers of a decoder and the others, run apart."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.execution.depth import SplitDepth
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from tests.backbones.test_causal_lm import LORA, save_model
from tests.classifiers.making import batch, make, random_frames, schema


@pytest.mark.parametrize("family", ["Llama", "GPTNeoX", "Gemma2", "OPT"])
@pytest.mark.parametrize("lowest", [0, 1])
def test_both_parts_together_are_the_decoder(family: str, lowest: int, tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, family), lora=LORA)
    disc = make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="one_pass", short=8, chunk=64)).eval()
    tokens = backbone.place(disc.render(batch(random_frames(2, 9), [[3], [0, 7]])))
    frames = random_frames(2, 9)
    with torch.no_grad():
        depth = SplitDepth(backbone.blocks, lowest)
        whole = backbone(tokens, frames)
        states = depth.below(partial(backbone, tokens, frames))
        nothing = tokens._replace(visual=torch.full_like(tokens.visual, -1))
        found = depth.above(partial(backbone, nothing, frames[:0]), states)
        assert not torch.equal(states, whole)
        assert torch.equal(found, whole)
        assert torch.equal(backbone(tokens, frames), whole)  # nothing is left behind


class Paired(nn.Module):
    """A layer that gives more than its states."""

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return states + 1, states[..., 0]


def test_layers_that_give_more_than_states_and_decoders_that_fail() -> None:
    blocks = nn.ModuleList(Paired() for _ in range(3))
    depth = SplitDepth(list(blocks), 1)

    def run(states: Tensor) -> Tensor:
        for block in blocks:
            states = block(states)[0]
        return states

    start = torch.zeros(1, 2, 3)
    assert float(run(start).max()) == 3
    reached = depth.below(partial(run, start))
    assert float(reached.max()) == 1
    assert float(depth.above(partial(run, start), reached + 4).max()) == 7

    def fail() -> Tensor:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        depth.above(fail, reached)
    assert float(run(start).max()) == 3
