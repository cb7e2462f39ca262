"""Encoders: shapes, determinism, and that the built-in one sees what matters."""

from __future__ import annotations

import time

import numpy as np
import torch

from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.encoders import SmallEncoder

RNG = np.random.default_rng(0)


def test_small_encoder_is_the_schemas_default() -> None:
    assert SmallEncoder().feature_spec(4.0) == FeatureSpec()


def test_small_encoder_is_a_function_of_its_seed_alone() -> None:
    pictures = RNG.integers(0, 256, (3, 96, 96, 3), np.uint8)
    assert torch.equal(SmallEncoder().encode(pictures), SmallEncoder().encode(pictures))
    assert not torch.equal(SmallEncoder(1).encode(pictures), SmallEncoder().encode(pictures))
    assert SmallEncoder(1).label != SmallEncoder().label
    assert not list(SmallEncoder().parameters())


def test_small_encoder_gives_known_numbers() -> None:
    row, column = np.mgrid[0:96, 0:96]
    picture = np.stack([row * 2, column * 2, (row * column) % 256], -1).astype(np.uint8)
    features = SmallEncoder().encode(picture[None])[0, 0]
    expected = torch.tensor([0.1755, 0.6083, 0.3721, 0.4588])  # features of any machine must be comparable
    torch.testing.assert_close(features[[0, 15, 16, 48]], expected, atol=1e-3, rtol=0)


def test_batching_does_not_change_features() -> None:
    pictures = RNG.integers(0, 256, (5, 96, 96, 3), np.uint8)
    alone = torch.cat([SmallEncoder().encode(one[None]) for one in pictures])
    torch.testing.assert_close(SmallEncoder().encode(pictures), alone, atol=1e-6, rtol=0)


def test_other_sizes_are_pooled_to_the_same_features() -> None:
    picture = RNG.integers(0, 256, (1, 96, 96, 3), np.uint8)
    large = picture.repeat(2, axis=1).repeat(3, axis=2)
    torch.testing.assert_close(SmallEncoder().encode(large), SmallEncoder().encode(picture), atol=1e-5, rtol=0)


def test_red_is_not_blue() -> None:
    red = np.zeros((1, 96, 96, 3), np.uint8)
    red[..., 0] = 255
    difference = SmallEncoder().encode(red) - SmallEncoder().encode(red[..., ::-1].copy())
    assert difference[0, 0, 16:32].min() > 0.9


def test_small_encoder_keeps_pace_with_decoding() -> None:
    pictures = torch.zeros(256, 96, 96, 3, dtype=torch.uint8)
    encoder = SmallEncoder()
    encoder.encode(pictures)
    start = time.perf_counter()
    encoder.encode(pictures)
    assert 256 / (time.perf_counter() - start) > 300  # thousands on an idle core


def test_an_encoder_is_rebuilt_from_its_spec() -> None:
    again = rebuild(SmallEncoder(seed=3).spec())
    assert isinstance(again, SmallEncoder)
    assert again.seed == 3
