"""Layers in 8 and 4 bits give nearly what they gave, live and in windows; what cannot be is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.backbones.weights.light import FEW, LightLinear, Weights, lighten
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.exporting.live_step import LiveStep
from gad_lightning.streaming.detector import OnlineDetector
from tests.backbones.folders import llama_folder
from tests.classifiers.making import make, random_frames, schema
from tests.exporting.moving import LORA, moved

LIMITS: dict[Weights, float] = {"int8": 0.01, "int4": 0.12}
"""Largest relative error of a product of random numbers: half a step of 1/127 or 1/15 of a range, and bfloat16."""


def tiny(kind: type[Classifier] = GADClassifier, lora: dict[str, Any] | None = LORA) -> Classifier:
    """A live classifier whose LoRA is something."""
    backbone = TinyBackbone(hidden_size=64, lora=lora, lora_on_head=lora is not None)
    return moved(make(kind, schema=schema(mode="one_pass", short=4, chunk=3), backbone=backbone))


@pytest.mark.parametrize("weights", ["int8", "int4"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, FEW, FEW + 1])
def test_a_light_layer_gives_nearly_what_the_layer_gives(weights: Weights, bias: bool, rows: int) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(96, 48, bias=bias), torch.randn(1, rows, 96)
    with torch.no_grad():
        layer.weight[3] = 0  # has no scale
        wanted, found = layer(inputs), LightLinear(layer, weights)(inputs)
    assert found.shape == wanted.shape
    assert found.dtype == torch.float32
    assert float((found - wanted).norm() / wanted.norm()) < LIMITS[weights]
    exact = float(layer.bias.detach()[3]) if bias else 0.0
    assert found[..., 3].flatten().tolist() == pytest.approx([exact] * rows, abs=1e-6)


def test_layers_whose_sizes_the_kernels_do_not_take_stay_as_they_are() -> None:
    decoder = nn.ModuleDict({"odd": nn.Linear(40, 32), "narrow": nn.Linear(64, 8), "fits": nn.Linear(64, 16)})
    lighten(decoder, "int8")
    assert [type(layer) for layer in decoder.values()] == [nn.Linear, nn.Linear, LightLinear]
    with pytest.raises(SettingError, match="Sequential has no linear layer whose inputs are a multiple of 32"):
        lighten(nn.Sequential(nn.Linear(40, 32)), "int4")


@pytest.mark.parametrize(("kind", "weights"), [(DiscriminativeClassifier, "int8"), (GenerativeClassifier, "int4")])
def test_a_checkpoint_is_read_with_light_weights_and_labels_streams_alike(
    kind: type[Classifier], weights: Weights, tmp_path: Path
) -> None:
    tiny(kind).save_pretrained(tmp_path)
    frames = random_frames(20, 1)
    scores = []
    for held in (None, weights):
        detector = OnlineDetector(kind.from_pretrained(tmp_path, weights=held), merge=True)
        scores.append(torch.cat([detector.push(frame).scores for frame in frames]).exp())
    assert 0 < float((scores[0] - scores[1]).abs().max()) < 5 * LIMITS[weights]


def test_attention_keeps_eight_bits_beside_four() -> None:
    classifier = tiny()
    classifier.backbone.lighten("int4")
    held = {name.split(".")[-2]: layer.weights for name, layer in classifier.backbone.named_modules()
            if isinstance(layer, LightLinear)}  # fmt: skip
    assert held == {"self_attn": "int8", "mlp": "int4"}


def test_live_streams_and_whole_windows_still_agree() -> None:
    classifier, frames = tiny(), random_frames(1, 4)
    classifier.backbone.lighten("int8")
    detector = OnlineDetector(classifier)
    live = torch.cat([detector.push(frames[:, time]).scores for time in range(4)])[-1]
    assert torch.allclose(live.exp(), classifier(frames)[0].exp(), atol=0.02)  # many rows have exact activations


def test_what_is_light_cannot_be_saved_exported_or_lightened_again(tmp_path: Path) -> None:
    classifier = tiny(lora=None)
    classifier.backbone.lighten("int8")
    with pytest.raises(SettingError, match="no longer apart, and the frozen ones are int8"):
        classifier.save_pretrained(tmp_path)
    with pytest.raises(SettingError, match="The weights are int8, by the kernels of torch"):
        LiveStep(classifier)
    with pytest.raises(SettingError, match="cannot be held in int4: they are int8 already"):
        classifier.backbone.lighten("int4")


def test_a_quantized_base_another_device_and_another_format_are_refused(tmp_path: Path) -> None:
    quantized = make(GADClassifier, backbone=CausalLM(str(llama_folder(tmp_path)), lora=LORA, quantization="nf4"))
    with pytest.raises(SettingError, match="cannot be held in int8: its base is quantized"):
        quantized.backbone.lighten("int8")
    with pytest.raises(SettingError, match="weights is 'int2'; there are int8, int4"):
        tiny().backbone.lighten("int2")  # type: ignore[arg-type]  # as a user may write
    decoder = nn.Sequential(nn.Linear(64, 64, device="meta"))
    with pytest.raises(SettingError, match="the classifier is on meta: such layers are for a CPU"):
        lighten(decoder, "int8")
    with pytest.raises(SettingError, match="the classifier is on meta") as refused:
        LightLinear(nn.Linear(64, 64), "int8")(torch.zeros(1, 64, device="meta"))
    assert "trainer.accelerator" in str(refused.value)
