"""Frozen linear layers in 8 or 4 bits for inference on a CPU: a live stream waits for weights to be read, once a frame.

Activations stay as they are, but for rounding to bfloat16 within a product: nothing is calibrated.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gad_lightning.errors import SettingError

Weights = Literal["int8", "int4"]
"""``int8``: a scale for each output; ``int4``: a scale and an offset for each output and :data:`GROUP` inputs, but for
the layers of attention, which have 8 bits: in 4 they change more labels, and are few of the weights."""
GROUP = 32
"""Inputs that share a scale in 4 bits."""
FEW = 8
"""Tokens up to which torch's product with bytes is faster than making the weights wide again (32 are not)."""
INPUTS, OUTPUTS = 32, 16
"""Both sizes of a layer must be multiples of these, as torch's kernels want them."""


def check_weights(weights: str) -> None:
    """Refuse a number format that is not there.

    Raises:
        SettingError: naming those that are.
    """
    if weights not in get_args(Weights):
        raise SettingError(f"weights is {weights!r}; there are {', '.join(get_args(Weights))}.", "choose one")


class LightLinear(nn.Module):
    """A linear layer whose weights are held in 8 or 4 bits; for inference on a CPU.

    Args:
        layer: whose weights (O, I) are rounded; O is a multiple of :data:`OUTPUTS`, and I of :data:`INPUTS`.
        weights: number format.
    """

    packed: Tensor  # (O, I) int8, or (O, I / 2) uint8 in the order of torch's kernel
    scales: Tensor  # (O,) bfloat16, or (I / GROUP, O, 2) scales and offsets
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, weights: Weights) -> None:
        super().__init__()
        self.weights: Weights = weights
        self.in_features, self.out_features = layer.in_features, layer.out_features
        packed, scales = (_bytes_of if weights == "int8" else _nibbles_of)(layer.weight.detach().float())
        self.register_buffer("packed", packed, persistent=False)
        self.register_buffer("scales", scales, persistent=False)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach(), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        if inputs.device.type != "cpu":
            raise _only_cpu(self.weights, inputs.device.type)
        rows = inputs.reshape(-1, self.in_features)
        if self.weights == "int4":
            made = torch.ops.aten._weight_int4pack_mm_for_cpu(rows.bfloat16(), self.packed, GROUP, self.scales)
        elif len(rows) <= FEW:
            made = torch._weight_int8pack_mm(rows.bfloat16(), self.packed, self.scales)
        else:
            made = linear(rows, self.packed.to(rows.dtype)) * self.scales
        made = made.to(inputs.dtype)
        outputs: Tensor = made if self.bias is None else made + self.bias
        return outputs.reshape(*inputs.shape[:-1], self.out_features)


def _bytes_of(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round (O, I) to bytes and scales."""
    scales = (weight.abs().amax(1) / 127).clamp_min(1e-12).bfloat16()
    return (weight / scales.float().unsqueeze(1)).round().clamp(-127, 127).to(torch.int8), scales


def _nibbles_of(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round (O, I) to 4 bits, packed for torch's kernel: a weight is ``(bits - 8) * scale + offset``."""
    groups = weight.unflatten(1, (-1, GROUP))  # (O, I / GROUP, GROUP)
    low, high = groups.amin(2), groups.amax(2)
    scale = ((high - low) / 15).clamp_min(1e-12).bfloat16()
    offset = (low + 8 * scale.float()).bfloat16()
    bits = ((groups - offset.float().unsqueeze(2)) / scale.float().unsqueeze(2)).round().add(8).clamp(0, 15)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(bits.flatten(1).int(), 2)
    return packed, torch.stack([scale, offset], 2).transpose(0, 1).contiguous()


def lighten(decoder: nn.Module, weights: Weights) -> None:
    """Replace the linear layers inside ``decoder``, in place, but for those whose sizes the kernels do not take.

    Args:
        decoder: the layers between embedding and head, on the CPU; without LoRA layers.
        weights: number format.

    Raises:
        SettingError: if the decoder is not on the CPU, or has no layer that fits.
    """
    device = next(decoder.parameters()).device.type
    if device != "cpu":
        raise _only_cpu(weights, device)
    fit = [
        (name, layer)
        for name, layer in decoder.named_modules()
        if type(layer) is nn.Linear and not (layer.in_features % INPUTS or layer.out_features % OUTPUTS)
    ]
    if not fit:
        raise SettingError(
            f"weights is {weights!r}, and {type(decoder).__name__} has no linear layer whose inputs are a multiple of "
            f"{INPUTS} and whose outputs are one of {OUTPUTS}.",
            "leave weights out",
        )
    for name, layer in fit:
        decoder.set_submodule(name, LightLinear(layer, format_of(name, weights)))


def format_of(name: str, weights: Weights) -> Weights:
    """The number format of a layer.

    Args:
        name: of the layer within the decoder.
        weights: that was asked for.

    Example:
        >>> format_of("layers.0.self_attn.q_proj", "int4"), format_of("layers.0.mlp.up_proj", "int4")
        ('int8', 'int4')
    """
    return "int8" if "att" in name else weights


def _only_cpu(weights: Weights, device: str) -> SettingError:
    """The error for another device."""
    return SettingError(
        f"weights is {weights!r} and the classifier is on {device}: such layers are for a CPU.",
        "set device (of a run: trainer.accelerator) to cpu, or leave weights out",
    )
