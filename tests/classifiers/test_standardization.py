"""Zero mean and unit spread, in float32 or better."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.standardization import Standardization
from gad_lightning.schema import FeatureSpec
from tests.classifiers.making import make, schema


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_statistics_keep_their_precision_in_a_classifier_of_another(dtype: torch.dtype) -> None:
    features = schema().features._replace(mean=(1000.2,) * 6, std=(0.5,) * 6)
    classifier = make(DiscriminativeClassifier, schema=schema()._replace(features=features)).to(dtype)
    frames: Tensor = classifier.standardize(torch.full((1, 6), 1000.7))
    assert torch.allclose(frames.double(), torch.ones(1, 6, dtype=torch.float64), atol=1e-3)
    assert classifier.float().standardize.mean.dtype == torch.float32


def test_features_without_statistics_stay_as_they_are() -> None:
    frames = torch.randn(2, 3)
    assert torch.equal(Standardization(FeatureSpec(width=3))(frames), frames)


def test_other_statistics_can_be_taken() -> None:
    standardize = Standardization(FeatureSpec(width=2))
    standardize.take(FeatureSpec(width=2, mean=(1.0, 2.0), std=(2.0, 4.0)))
    assert torch.equal(standardize(torch.tensor([[3.0, 2.0]])), torch.tensor([[1.0, 0.0]]))
    assert not standardize.state_dict()  # a checkpoint has them in its schema
