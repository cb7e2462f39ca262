"""From features to the language model's width."""

from __future__ import annotations

import torch

from gad_lightning.backbones.connector import MLPConnector


def test_each_token_is_mapped_by_itself_to_the_models_width() -> None:
    connector = MLPConnector(6, 16)
    frames = torch.randn(5, 6)
    mapped = connector(frames)
    assert mapped.shape == (5, 16)
    assert torch.allclose(mapped[2:3], connector(frames[2:3]), atol=1e-6)
