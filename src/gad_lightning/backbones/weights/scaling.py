"""The adapter of a trained language model at any scale: 0 is the model as it came, 1 as it was trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.lora import check_kept, lora_layers
from gad_lightning.errors import SettingError

STAYING = (".lora_A.", ".lora_embedding_A.")
GROWING = (".lora_B.", ".lora_embedding_B.")
"""The factor of each LoRA that is scaled; of the other one the update is linear too."""
MAGNITUDE = ".lora_magnitude_vector."
"""DoRA's lengths of the columns, which the base has too."""
MODEL = "model."
MOST = 4.0
"""Largest scale: beyond it nothing was ever trained."""


class AdapterScale:
    """Scales the LoRA of a backbone, in its weights; connector and new tokens stay as they are.

    The weights at a scale are those of a checkpoint that is saved then. At 0 every layer gives what the base gives, bit
    for bit, also where that is quantized; at 1 all weights are the trained ones. DoRA's lengths go in a straight line
    from the base's to the trained ones.

    Args:
        backbone: trained, with LoRA, not merged.

    Raises:
        SettingError: if there is no adapter apart from the base, or not all of what is trained belongs to it.
    """

    def __init__(self, backbone: Backbone) -> None:
        if not isinstance(backbone, CausalLM):
            raise SettingError(
                f"{type(backbone).__name__} has no adapter beside a language model that stays as it came.",
                "take a run whose backbone is a gad_lightning.CausalLM with lora",
            )
        if backbone.lora is None or backbone.merged:
            how = "has its LoRA merged into it" if backbone.merged else "was trained whole (backbone.lora is null)"
            raise SettingError(
                f"The language model {how}: there is no adapter to scale, and the base is gone.",
                "take a run that was trained with backbone.lora",
            )
        check_kept(backbone.lora)
        weights = dict(backbone.model.named_parameters())
        trained = [name.removeprefix(MODEL) for name in backbone.made_trained if name.startswith(MODEL)]
        for name in trained:
            if not any(part in name for part in (*STAYING, *GROWING, MAGNITUDE)):
                raise SettingError(
                    f"backbone.lora trains {name} too, which is no low-rank update: its scale means nothing.",
                    "train without bias, modules_to_save and trainable tokens in backbone.lora",
                )
        self.weights = {name: weights[name] for name in trained if not any(part in name for part in STAYING)}
        self.trained = {name: weight.detach().clone() for name, weight in self.weights.items()}
        begun = _lengths_of_base(backbone.model)
        self.base = {name: begun[name] for name in self.weights if MAGNITUDE in name}
        self.size = sum(weights[name].numel() for name in trained)

    @torch.no_grad()
    def set(self, scale: float) -> None:
        """Scale the adapter.

        Raises:
            SettingError: if the scale lies outside [0, 4].
        """
        check_scale(scale)
        for name, weight in self.weights.items():
            trained = self.trained[name]
            if scale == 1:
                weight.copy_(trained)
            elif name in self.base:
                weight.copy_(self.base[name] + scale * (trained - self.base[name]))
            else:
                weight.copy_(scale * trained)


def check_scale(scale: float) -> None:
    """Refuse a scale that no adapter has.

    Raises:
        SettingError: if it lies outside [0, 4].
    """
    if not 0 <= scale <= MOST:
        raise SettingError(
            f"A scale of the adapter must lie in [0, {MOST:g}], got {scale:g}.", "0 is the base, 1 as it was trained"
        )


def _lengths_of_base(model: nn.Module) -> dict[str, Tensor]:
    """What DoRA's lengths are where the update is 0, by the names of the parameters; computed as its layers do."""
    from peft.tuners.lora import LoraLayer
    from peft.utils.integrations import dequantize_module_weight

    names = {id(layer): name for name, layer in model.named_modules()}
    found = {}
    for layer in lora_layers(model):
        assert isinstance(layer, LoraLayer), "asked for those"
        for adapter, vector in layer.lora_magnitude_vector.items():
            weight = dequantize_module_weight(layer.get_base_layer()).detach().to(vector.weight.dtype)
            length = vector.get_weight_norm(weight, weight.new_zeros(()), layer.scaling[adapter])
            found[f"{names[id(layer)]}{MAGNITUDE}{adapter}.weight"] = length.reshape(vector.weight.shape)
    return found
