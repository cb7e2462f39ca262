"""LoRA through peft: put on, folded in, told apart."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gad_lightning.errors import SettingError

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora import Linear as LoraLinear
    from transformers import PreTrainedModel

PAPER_LORA: dict[str, Any] = {"r": 128, "lora_alpha": 256, "lora_dropout": 0.05}
"""The paper's LoRA (section 4)."""


REPEATABLE = (True, False, "gaussian", "orthogonal", "pissa", "olora")
"""Ways to begin that leave the frozen weights alone, or change them by an exact decomposition of themselves."""
MOVING = ("pissa", "olora")
"""Those that change them."""

TRANSPOSED = "Conv1D"
"""Name of GPT-2's linear layers, whose weights are stored (in, out)."""
QUANTIZED = ("Linear4bit", "Linear8bitLt")
"""Names of bitsandbytes' linear layers."""


def check_lora(settings: dict[str, Any] | None) -> None:
    """Refuse a LoRA that begins by changing the frozen weights in a way that no checkpoint keeps.

    Raises:
        SettingError: naming the setting.
    """
    begin = (settings or {}).get("init_lora_weights", True)
    if begin not in REPEATABLE:
        raise SettingError(
            f"backbone.lora.init_lora_weights is {begin!r}, which changes the frozen weights by chance or by data, and "
            "no checkpoint keeps them: a loaded classifier would be another one.",
            f"choose one of {', '.join(map(repr, REPEATABLE))}",
        )


def check_kept(settings: dict[str, Any] | None) -> None:
    """Refuse a LoRA without which the language model is not the one it came as.

    Raises:
        SettingError: naming the setting.
    """
    begin = (settings or {}).get("init_lora_weights", True)
    if begin in MOVING:
        raise SettingError(
            f"backbone.lora.init_lora_weights is {begin!r}, which moves a part of the frozen weights into the LoRA: "
            "without it the language model is not the one it came as.",
            "train with init_lora_weights: true",
        )


def add_lora(model: PreTrainedModel, decoder: nn.Module, settings: dict[str, Any], on_head: bool) -> nn.Module:
    """Put LoRA on every linear layer of the decoder, and on the language model's head if asked.

    A head tied to the input embedding stays so, and both are held once, until :func:`merge_lora`.

    Args:
        model: a Hugging Face causal language model.
        decoder: its layers between embedding and head.
        settings: arguments of ``peft.LoraConfig``, such as ``{"r": 16, "lora_alpha": 32}``.
        on_head: whether the head that writes tokens gets LoRA too.

    Returns:
        The peft model around ``model``.

    Raises:
        SettingError: if a setting is not one of ``peft.LoraConfig``'s, or does not fit the model.
    """
    from peft import LoraConfig, get_peft_model

    head = model.get_output_embeddings()
    if on_head:
        model.config.tie_word_embeddings = False  # else peft warns of what merge_lora takes care of
    chosen = {layer for layer in decoder.modules() if _is_linear(layer)} | ({head} if on_head else set())
    names = [name for name, layer in model.named_modules() if layer in chosen]
    shape = {"fan_in_fan_out": True} if any(type(layer).__name__ == TRANSPOSED for layer in chosen) else {}
    try:
        config = LoraConfig(**{"target_modules": names, "bias": "none", **shape, **settings})
        wrapped: nn.Module = get_peft_model(model, config)
    except TypeError as error:
        raise SettingError(
            f"backbone.lora has a setting that peft does not know: {error}.", "see peft.LoraConfig"
        ) from error
    except ValueError as error:
        raise SettingError(
            f"backbone.lora does not fit {type(model).__name__}: {error}", "see peft.LoraConfig, or set it to null"
        ) from error
    return wrapped


def _is_linear(layer: nn.Module) -> bool:
    """Whether a layer is linear and no more, quantized or not: routers of experts are subclasses that give more."""
    return type(layer) is nn.Linear or type(layer).__name__ in (TRANSPOSED, *QUANTIZED)


def lora_layers(model: nn.Module) -> list[nn.Module]:
    """Every layer below ``model`` that has LoRA."""
    from peft.tuners.lora import LoraLayer

    return [layer for layer in model.modules() if isinstance(layer, LoraLayer)]


def merge_lora(model: nn.Module) -> float:
    """Fold every LoRA below ``model`` into its layer, computed in float32 and rounded once, and leave the plain layers.

    A head tied to the input embedding is untied first: merging would otherwise change the embedding too.

    Returns:
        The largest relative change of a weight matrix by that rounding; 0 in float32.
    """
    from peft.tuners.lora import Linear

    drift = 0.0
    holders = Counter(id(module._parameters.get("weight")) for module in model.modules())
    for name, layer in list(model.named_modules()):
        if not isinstance(layer, Linear):
            continue
        base = layer.get_base_layer()
        if holders[id(base.weight)] > 1:
            base.weight = nn.Parameter(base.weight.detach().clone(), requires_grad=False)
        weight = base.weight
        kept_in = weight.dtype
        weight.data = weight.data.float()
        layer.merge()  # knows of DoRA and other variants
        exact, weight.data = weight.data, weight.data.to(kept_in)
        drift = max(drift, float((weight.data.float() - exact).norm() / exact.norm().clamp_min(1e-30)))
        model.set_submodule(name, base)  # peft's layer around it would cost a live stream more than the arithmetic
    return drift


def follow_autocast(layers: Sequence[nn.Module], device_type: str) -> None:
    """Let LoRA layers copy their input to their own number format, or leave that to autocast where it is on.

    peft always copies. Under autocast the copies, in float32, are kept for the backward pass and of no other use: at
    the shape of Llama-3.2-1B they are a tenth of what a training step holds, and a sixth of one in nf4.
    """
    cast = not torch.is_autocast_enabled(device_type)
    if layers and layers[0].cast_input_dtype_enabled != cast:
        for layer in layers:
            layer.cast_input_dtype_enabled = cast  # type: ignore[assignment]  # a module's attributes are tensors to it


def some_logits(head: LoraLinear, states: Tensor, ids: Tensor) -> Tensor:
    """Logits of a few tokens, of which alone the head's rows are read: LoRA on it or not.

    Args:
        head: the layer that writes tokens, (V, H).
        states: (n, H).
        ids: (k,) the tokens.

    Returns:
        (n, k) float32.
    """
    from peft.tuners.lora import Linear

    on_top = [] if not isinstance(head, Linear) or head.disable_adapters else head.active_adapters
    if any(head.use_dora.get(name, False) for name in on_top):  # scales whole rows of the sum
        every: Tensor = head(states)
        return every.float()[:, ids]
    logits: Tensor = (states @ head.weight[ids].T).float()
    if head.bias is not None:
        logits = logits + head.bias[ids].float()
    for name in on_top:
        first, second = head.lora_A[name].weight, head.lora_B[name].weight[ids]
        low = head.lora_dropout[name](states.to(first.dtype)) @ first.T
        logits = logits + (low @ second.T).float() * head.scaling[name]
    return logits


def adapter_names(model: PeftModel, weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Find the names that peft saves LoRA weights by.

    Args:
        model: a peft model.
        weights: its parameters by any name.

    Returns:
        Name of the file per name of ``weights``, for the LoRA's alone.
    """
    from peft import get_peft_model_state_dict

    saved = get_peft_model_state_dict(model, save_embedding_layers=False)
    name_at = {weight.data_ptr(): name for name, weight in saved.items()}
    return {name: name_at[weight.data_ptr()] for name, weight in weights.items() if weight.data_ptr() in name_at}


def save_adapter_config(model: PeftModel, folder: Path, base: str, revision: str | None) -> None:
    """Write ``adapter_config.json`` as peft reads it.

    Args:
        model: a peft model.
        folder: to write to.
        base: name of the model that the LoRA is for.
        revision: of it.
    """
    config = copy.copy(model.peft_config["default"])
    config.base_model_name_or_path, config.revision, config.inference_mode = base, revision, True
    config.save_pretrained(str(folder))
