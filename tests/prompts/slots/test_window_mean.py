"""The mean of the window, beside the learned vector."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.prompts.slots.window_mean import WindowMeanSlot


@pytest.mark.parametrize("window", [1, 3, 20])
def test_it_is_told_the_mean_of_exactly_the_frames_that_the_slot_sees(window: int) -> None:
    visual = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(0))
    visual[0, 9:] = torch.inf  # after the last frame of a sample there is anything
    sample, anchor = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 4, 8, 11, 2])
    shown = WindowMeanSlot().shown(visual, sample, anchor, window)
    for row, (which, last) in enumerate(zip(sample.tolist(), anchor.tolist(), strict=True)):
        expected = visual[which, max(0, last + 1 - window) : last + 1].double().mean(0)
        assert torch.allclose(shown[row].double(), expected, atol=1e-6, rtol=0)


def test_far_down_a_long_chunk_no_digits_are_lost() -> None:
    visual = 100 + torch.randn(1, 20_000, 4, generator=torch.Generator().manual_seed(0))
    end = torch.tensor([19_999])
    shown = WindowMeanSlot().shown(visual, torch.tensor([0]), end, window=2)
    assert torch.allclose(shown[0], visual[0, -2:].mean(0), atol=1e-5, rtol=0)


def test_gradients_reach_the_frames_of_the_window_alone() -> None:
    visual = torch.zeros(1, 6, 2, requires_grad=True)
    WindowMeanSlot().shown(visual, torch.tensor([0]), torch.tensor([4]), window=2).sum().backward()
    assert visual.grad is not None
    assert visual.grad[0, :, 0].tolist() == pytest.approx([0, 0, 0, 0.5, 0.5, 0], abs=1e-12)
