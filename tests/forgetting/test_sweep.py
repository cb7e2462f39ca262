"""A sweep measures 0 and 1 in any case, and leaves the classifier as it was trained."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.forgetting.probe_texts import ProbeTexts, probe_texts
from gad_lightning.forgetting.sweep import sweep


def made(mode: str = "window", videos: int = 20) -> tuple[Classifier, ToyActions, ProbeTexts]:
    """A classifier far from its base, its data, and the texts."""
    data = ToyActions(num_videos=videos, mode=mode, short_memory=4, chunk=32)  # type: ignore[arg-type]  # one of two
    torch.manual_seed(0)
    backbone = TinyBackbone(hidden_size=16, num_layers=1, lora={"r": 4, "init_lora_weights": False})
    classifier = DiscriminativeClassifier(backbone=backbone, schema=data.schema)
    return classifier, data, probe_texts(backbone.vocabulary, backbone.max_positions)


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_0_and_1_are_measured_in_any_case_and_the_weights_are_the_trained_ones_again(mode: str) -> None:
    classifier, data, texts = made(mode)
    before = {name: weight.clone() for name, weight in classifier.trained_state().items()}
    found = sweep(classifier, data, texts, [0.5, 0.5])
    assert [row.scale for row in found.rows] == [0, 0.5, 1]
    assert found.metric == "segment_f1"
    assert [row.probes["kl_prompts"] == 0 for row in found.rows] == [True, False, False]
    assert all(torch.equal(weight, before[name]) for name, weight in classifier.trained_state().items())
    assert sum(found.counts[part] for part in ("adapter", "connector", "new tokens", "heads and objectives")) == sum(
        weight.numel() for weight in classifier.parameters() if weight.requires_grad
    )


def test_what_cannot_be_measured_is_refused_before_it_starts() -> None:
    classifier, data, texts = made()
    with pytest.raises(SettingError, match=r"must lie in \[0, 4\], got 7"):
        sweep(classifier, data, texts, [7.0])
    with pytest.raises(SettingError, match=r"trainer\.precision of the run's config cannot be used: .*'no-such'"):
        sweep(classifier, data, texts, [], precision="no-such")
