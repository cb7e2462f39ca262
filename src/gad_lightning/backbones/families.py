"""What multimodal models of Hugging Face differ in: where the vision tower and its projector are, and what goes in."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gad_lightning.errors import SettingError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


class Family(ABC):
    """One kind of multimodal model. ``one_token`` ones have plain rotary positions only for one token a frame."""

    one_token: bool = False

    @abstractmethod
    def check(self, config: PretrainedConfig) -> None:
        """Refuse the variants whose pictures cannot be turned into features.

        Raises:
            SettingError: naming what the model has.
        """

    @abstractmethod
    def tower(self, model: PreTrainedModel) -> nn.Module:
        """The vision tower with pictures in and features out, see :class:`Tower`."""

    @abstractmethod
    def projector(self, model: PreTrainedModel) -> nn.Module:
        """What turns features into input vectors of the language model."""

    @abstractmethod
    def width(self, config: PretrainedConfig) -> int:
        """D of the features."""

    def project(self, projector: nn.Module, features: Tensor) -> Tensor:
        """Input vectors of features: (n, D) -> (n, H)."""
        mapped: Tensor = projector(features)
        return mapped


class Tower(nn.Module):
    """A vision tower as :class:`~gad_lightning.HuggingFaceEncoder` calls one.

    Args:
        inner: the model's own tower.
        patch_size: pixels on a side that one feature stands for.
    """

    def __init__(self, inner: nn.Module, patch_size: int) -> None:
        super().__init__()
        self.inner = inner
        self.config = SimpleNamespace(patch_size=patch_size)

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        """Features of normalized pictures: (B, 3, h, w) -> ``last_hidden_state`` (B, n, D), row by row."""
        return SimpleNamespace(last_hidden_state=self.see(pixel_values), pooler_output=None)

    def see(self, pixels: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, n, D)."""
        raise NotImplementedError


class LlavaTower(Tower):
    """The layers that LLaVA's projector reads, side by side, without the class token where the model drops it.

    Args:
        inner: a CLIP or SigLIP tower.
        config: of the whole model.
    """

    def __init__(self, inner: nn.Module, config: PretrainedConfig) -> None:
        super().__init__(inner, config.vision_config.patch_size)
        chosen = config.vision_feature_layer
        self.layers = [chosen] if isinstance(chosen, int) else list(chosen)
        self.first = 1 if config.vision_feature_select_strategy == "default" else 0

    def see(self, pixels: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, n, D)."""
        states = self.inner(pixels, output_hidden_states=True).hidden_states
        return torch.cat([states[layer][:, self.first :] for layer in self.layers], dim=-1)


class Llava(Family):
    """LLaVA 1.5 and OneVision. A picture is the whole frame: OneVision's tiles and its newline token are left out."""

    def check(self, config: PretrainedConfig) -> None:
        """Take CLIP and SigLIP towers."""
        kind = config.vision_config.model_type
        if kind not in ("clip_vision_model", "siglip_vision_model"):
            raise SettingError(
                f"The vision tower of this {config.model_type} is a {kind}, whose pictures have no fixed size.",
                "take a LLaVA with a CLIP or SigLIP tower",
            )

    def tower(self, model: PreTrainedModel) -> Tower:
        """Wrap the tower."""
        return LlavaTower(model.model.vision_tower, model.config)

    def projector(self, model: PreTrainedModel) -> nn.Module:
        """Two linear layers."""
        found: nn.Module = model.model.multi_modal_projector
        return found

    def width(self, config: PretrainedConfig) -> int:
        """Width of the tower, times the layers read."""
        layers = config.vision_feature_layer
        return int(config.vision_config.hidden_size) * (1 if isinstance(layers, int) else len(layers))


class QwenTower(Tower):
    """Qwen's tower before its merger: one feature for each block of merged patches.

    Args:
        inner: the tower, whose merger is not used.
        config: of the whole model.
    """

    def __init__(self, inner: nn.Module, config: PretrainedConfig) -> None:
        vision = config.vision_config
        self.merge, self.patch, self.times = vision.spatial_merge_size, vision.patch_size, vision.temporal_patch_size
        super().__init__(inner, self.patch * self.merge)

    def see(self, pixels: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, n, D), in the order of the tower's windows: only their mean is of use."""
        size, _, height, width = pixels.shape
        rows, columns = height // self.patch, width // self.patch
        blocks = pixels.reshape(
            size, 3, rows // self.merge, self.merge, self.patch, columns // self.merge, self.merge, self.patch
        )
        # block rows, block columns, then within a block; a still picture is a film of equal frames
        patches = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6).expand(*[-1] * 6, self.times, -1, -1)
        grid = torch.tensor([[1, rows, columns]] * size, device=pixels.device)
        states = self.inner(patches.reshape(size * rows * columns, -1), grid_thw=grid).last_hidden_state
        together: Tensor = states.reshape(size, rows * columns // self.merge**2, -1)
        return together


class Qwen(Family):
    """Qwen2.5-VL and Qwen3-VL with one token a frame, for which their three-dimensional positions are plain.

    What Qwen3-VL's tower adds inside the first decoder layers (DeepStack) is left out: its states are not quite the
    original's, which a warning says.
    """

    one_token = True

    def check(self, config: PretrainedConfig) -> None:
        """Take them all."""
        if config.model_type == "qwen3_vl":
            warnings.warn(
                "Qwen3-VL adds features of its vision tower inside the first decoder layers (DeepStack); they are left "
                "out here, so that fine-tuning starts a little off the original. Qwen2.5-VL starts exactly from it.",
                stacklevel=2,
            )

    def tower(self, model: PreTrainedModel) -> Tower:
        """Wrap the tower."""
        return QwenTower(model.model.visual, model.config)

    def projector(self, model: PreTrainedModel) -> nn.Module:
        """The merger."""
        found: nn.Module = model.model.visual.merger
        return found

    def width(self, config: PretrainedConfig) -> int:
        """Width of the tower, times the patches merged."""
        return int(config.vision_config.hidden_size) * int(config.vision_config.spatial_merge_size) ** 2

    def project(self, projector: nn.Module, features: Tensor) -> Tensor:
        """Let the merger normalize each patch and merge: (n, D) -> (n, H)."""
        norm = next(module for name, module in projector.named_children() if name in ("ln_q", "norm"))
        mapped: Tensor = projector(features.reshape(-1, next(norm.parameters()).shape[0]))
        return mapped


FAMILIES: dict[str, Family] = {
    "llava": Llava(),
    "llava_onevision": Llava(),
    "qwen2_5_vl": Qwen(),
    "qwen3_vl": Qwen(),
}
"""By the model type of a config."""


def family_of(config: PretrainedConfig) -> Family:
    """Find the family of a model.

    Raises:
        SettingError: if it is none of those known, naming its type.
    """
    kind = config.model_type
    if kind not in FAMILIES:
        raise SettingError(
            f"Models of the type {kind!r} are not among the multimodal ones known here: {', '.join(FAMILIES)}.",
            "take one of those, or its language model with gad_lightning.CausalLM and a fresh connector",
        )
    FAMILIES[kind].check(config)
    return FAMILIES[kind]
