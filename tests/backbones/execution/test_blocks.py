"""Block by block is the same attention."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from gad_lightning.backbones.execution import blocks
from gad_lightning.backbones.execution.blocks import _attend, _blocks_of
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task, Windows


def random_mask(rows: int, queries: int, keys: int, visible_share: float) -> Tensor:
    """Random visibility in which every query sees the first key."""
    generator = torch.Generator().manual_seed(queries)
    mask = torch.rand(rows, 1, queries, keys, generator=generator) < visible_share
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize(
    ("queries", "keys", "share"),
    [(65, 65, 0.5), (200, 200, 0.01), (130, 300, 0.002), pytest.param(2, 300, 0.1, id="a live step: no blocks")],
)
def test_equals_dense_attention_and_its_gradients(queries: int, keys: int, share: float) -> None:
    mask = random_mask(2, queries, keys, share)
    query = torch.randn(2, 4, queries, 8, dtype=torch.float64, requires_grad=True)
    key, value = (torch.randn(2, 2, keys, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))
    repeated = (part.repeat_interleave(2, 1) for part in (key, value))
    dense = scaled_dot_product_attention(query, *repeated, mask, scale=0.3).transpose(1, 2)
    if queries > blocks.SIZE:
        mask.blocks = _blocks_of(mask)  # type: ignore[attr-defined]  # as dense_mask notes them
    blocked, _ = _attend(nn.Module(), query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(blocked, dense, rtol=0, atol=1e-13)
    weight = torch.randn_like(dense)
    ours = torch.autograd.grad((blocked * weight).sum(), (query, key, value))
    theirs = torch.autograd.grad((dense * weight).sum(), (query, key, value))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_blocks_leave_out_what_no_query_of_theirs_sees() -> None:
    band = torch.ones(256, 256).tril().triu(-9).bool()[None, None]
    found = [block.keys for block in _blocks_of(band)]
    assert found == [
        slice(0, 64),
        slice(55, 128),
        slice(119, 192),
        slice(183, 256),
    ]
    band[..., 0] = True
    keys = _blocks_of(band)[2].keys
    assert isinstance(keys, Tensor)
    assert keys.tolist() == [0, *range(119, 192)]


def test_one_pass_of_a_classifier_attends_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = DataSchema(
        (Task("action", LabelSet(("nothing", "add salt"), 0)),), (), FeatureSpec("none", 2.0, 3), Windows("one_pass", 8)
    )
    classifier = GenerativeClassifier(backbone=TinyBackbone(hidden_size=16, num_layers=2), schema=schema).eval()
    video = torch.randn(120, 3)
    blocked = classifier.detect(video)
    calls: list[int] = []
    original = blocks._blocks_of
    monkeypatch.setattr(blocks, "_blocks_of", lambda mask: calls.append(1) or original(mask))
    classifier.detect(video)
    assert calls
    monkeypatch.setattr(blocks, "SIZE", 10**6)
    dense = classifier.detect(video)
    torch.testing.assert_close(blocked.scores, dense.scores, rtol=0, atol=1e-5)
