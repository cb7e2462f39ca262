"""Frozen weights in 4 or 8 bits through bitsandbytes, for LoRA on top (QLoRA); on a CPU too."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn

from gad_lightning.errors import SettingError

Quantization = Literal["nf4", "int8"]
"""``nf4``: 4-bit normal floats in blocks of 64, scales quantized again; ``int8``: rows of bytes, outliers apart."""

OUTLIER = 6.0
"""Activations beyond this go through the 16-bit path of ``int8`` (the threshold of LLM.int8)."""


def check_quantization(how: Quantization | None, lora: object) -> None:
    """Refuse what bitsandbytes has not, and a quantized decoder without LoRA.

    Args:
        how: the backbone's setting.
        lora: its LoRA setting; None trains the decoder itself.

    Raises:
        SettingError: naming the setting.
    """
    if how is None:
        return
    if how not in get_args(Quantization):
        raise SettingError(
            f"backbone.quantization is {how!r}; there are {', '.join(get_args(Quantization))}.", "choose one, or null"
        )
    if lora is None:
        raise SettingError(
            f"backbone.lora is null and backbone.quantization is {how!r}: quantized weights have no gradient, so "
            "nothing of the decoder could be trained.",
            "give backbone.lora, or set backbone.quantization to null",
        )


def quantize(decoder: nn.Module, how: Quantization, compute_dtype: torch.dtype) -> None:
    """Replace every linear layer inside ``decoder``, in place; embeddings, norms and a head outside stay as they are.

    It happens on the device the weights are on, so that every process and every machine gets the same bits.

    Args:
        decoder: the layers between embedding and head.
        how: number format of the weights.
        compute_dtype: number format that a product is computed in.

    Source: Dettmers et al., QLoRA, NeurIPS 2023 (``nf4``); Dettmers et al., LLM.int8(), NeurIPS 2022 (``int8``).
    """
    layers = [(name, layer) for name, layer in decoder.named_modules() if type(layer) is nn.Linear]
    for name, layer in layers:
        owner, _, last = name.rpartition(".")
        setattr(decoder.get_submodule(owner), last, quantized(layer, how, compute_dtype))


def quantized(layer: nn.Linear, how: Quantization, compute_dtype: torch.dtype) -> nn.Module:
    """Make the quantized copy of one linear layer; its bias keeps its format."""
    from bitsandbytes import nn as bnb

    device, bias = layer.weight.device, layer.bias is not None
    sizes = (layer.in_features, layer.out_features)
    made: nn.Module
    if how == "nf4":
        made = bnb.Linear4bit(*sizes, bias=bias, compute_dtype=compute_dtype, quant_type="nf4", device="meta")
        made.weight = bnb.Params4bit(layer.weight.detach(), requires_grad=False, quant_type="nf4", module=made)
        # where a CPU has AVX512-BF16, evaluation would round all scales to bfloat16 for good, and fail on narrow layers
        setattr(made, "support_avx512bf16_for_cpu", False)  # noqa: B010 - mypy takes a module's attribute for a tensor
    else:
        made = bnb.Linear8bitLt(*sizes, bias=bias, has_fp16_weights=False, threshold=OUTLIER, device="meta")
        made.weight = bnb.Int8Params(layer.weight.detach(), requires_grad=False, has_fp16_weights=False)
    if bias:
        made.bias = nn.Parameter(layer.bias.detach(), requires_grad=False)
    return made.to(device)


def mark_quantized(model: nn.Module, how: Quantization) -> None:
    """Tell peft which of its LoRA layers a model needs."""
    setattr(model, "is_loaded_in_4bit" if how == "nf4" else "is_loaded_in_8bit", True)


def cannot(what: str, how: Quantization) -> SettingError:
    """The error for something that a quantized base cannot do; it works on the same checkpoint without quantization."""
    return SettingError(
        f"backbone.quantization is {how!r}, and {what}.",
        "set backbone.quantization to null in the config; the checkpoint's LoRA fits the unquantized base too",
    )
