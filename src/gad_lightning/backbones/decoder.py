"""Where a Hugging Face model keeps its decoder, and what it does between the decoder and its logits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from gad_lightning.errors import SettingError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

WORKING = "Llama, Mistral, Qwen2, Qwen3, Gemma 2, Gemma 3, Phi-3, Granite, Cohere, GPT-2, GPT-NeoX (Pythia), OPT"
"""Families whose layers are all attention, as tests show; others work if they pass the checks at load."""
CHOOSE = f"take a model whose layers are all attention, of a family such as {WORKING}"
UNMASKED = ("linear", "conv", "mamba", "recurrent", "hybrid", "ssm", "rwkv")
"""Parts of the names of layer types that carry a state along the row, whatever a mask says."""


def check_config(config: PretrainedConfig, folder: Path) -> None:
    """Refuse a model by its config, before its weights are read, if it names layers that know no mask.

    Raises:
        SettingError: naming the layer types.
    """
    text = config.get_text_config()
    try:
        kinds = sorted({str(kind) for kind in text.layer_types or ()})
    except AttributeError:  # most models have one type
        return
    wrong = [kind for kind in kinds if any(part in kind for part in UNMASKED)]
    if wrong:
        raise SettingError(
            f"{folder} is a {text.model_type} with layers of the type {', '.join(wrong)}, which do not go by an "
            "attention mask: in one pass every slot would see the future.",
            CHOOSE,
        )


def decoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """Find the layers between embedding and head, last norm included: ``model.model``, ``model.transformer``, ..."""
    found = model.base_model.get_decoder()
    return dict(model.named_children()).get("model", found) if found is model else found


def layers_of(decoder: PreTrainedModel) -> list[nn.Module]:
    """Find the list of a decoder's layers, whatever its name.

    Raises:
        SettingError: if it has none: its layers are not laid out one after another.
    """
    count = decoder.config.get_text_config().num_hidden_layers
    for part in decoder.children():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return list(part)
    raise SettingError(f"{type(decoder).__name__} has no list of its {count} layers.", CHOOSE)


def compute_layers_again(model: PreTrainedModel) -> None:
    """Keep no activations of the layers for the backward pass, in which they are computed once more."""
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable({"use_reentrant": False})
    else:  # its name in earlier versions
        model.gradient_checkpointing_enable({"use_reentrant": False})


class Tail(NamedTuple):
    """From the decoder's states to logits: the layers before the head, and what is done to the head's output."""

    before: tuple[str, ...] = ()  # names of layers of the model
    scale: float = 1.0
    cap: float | None = None  # logits become cap * tanh(logits / cap)

    def ready(self, model: PreTrainedModel, states: Tensor) -> Tensor:
        """Apply the layers before the head: (n, H) -> (n, H)."""
        for name in self.before:
            states = model.get_submodule(name)(states)
        return states

    def finish(self, logits: Tensor) -> Tensor:
        """Scale and cap what a head gave; -inf stays."""
        logits = logits if self.scale == 1 else logits * self.scale
        if self.cap is None:
            return logits
        return (self.cap * torch.tanh(logits / self.cap)).where(~logits.isneginf(), logits)


class OwnLogits(NamedTuple):
    """What a model itself gives for a text."""

    logits: Tensor  # (n, V) float32
    before: tuple[str, ...]  # layers that it called between decoder and head


def find_tail(model: PreTrainedModel, states: Tensor, own: OwnLogits, limit: float) -> Tail:
    """Find how the model's own logits come from its states, and apply it from now on.

    Args:
        model: the Hugging Face model.
        states: (n, H) of its decoder.
        own: what the model itself made of the same text.
        limit: largest relative difference that is rounding.

    Raises:
        SettingError: if none of the known ways gives them.
    """
    plain = model.get_output_embeddings()(Tail(own.before).ready(model, states)).float()
    config = model.config.get_text_config()
    tails = [
        Tail(own.before, scale, cap) for scale in _scales(plain, own.logits, config, limit) for cap in _caps(config)
    ]
    for tail in tails:
        if difference(tail.finish(plain), own.logits) <= limit:
            return tail
    raise SettingError(
        f"{type(model).__name__} does something between its last layer and its logits that is not known here: a "
        f"token's logits differ by {difference(plain, own.logits):.0%} without it.",
        CHOOSE,
    )


def _scales(plain: Tensor, own: Tensor, config: PretrainedConfig, limit: float) -> list[float]:
    """Factors that may stand between two logits: none; a number of the config; what fits best, to six digits."""
    fitted = float((plain * own).sum() / plain.square().sum().clamp_min(1e-30))
    numbers = [value for name, value in config.to_dict().items() if "logit" in name or "head" in name]
    given = [float(value) for value in numbers if isinstance(value, int | float) and value]
    near = [factor for value in given for factor in (value, 1 / value) if abs(factor - fitted) <= limit * abs(fitted)]
    return [1.0, *near, float(f"{fitted:.6g}")]


def _caps(config: PretrainedConfig) -> list[float | None]:
    """Caps that logits may have: none, or the config's."""
    cap = config.to_dict().get("final_logit_softcapping")
    return [None] if cap is None else [float(cap), None]


def difference(found: Tensor, wanted: Tensor) -> float:
    """Largest relative difference of two sets of vectors (..., H); not a number if one of them is none."""
    return float(((found - wanted).norm(dim=-1) / wanted.norm(dim=-1).clamp_min(1e-30)).max())
