"""A pretrained multimodal model as the backbone: its projector is the connector, its language model gets the LoRA."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import Tensor, nn

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.connector import Connector
from gad_lightning.backbones.families import Family, family_of
from gad_lightning.backbones.lora import PAPER_LORA
from gad_lightning.backbones.quantization import Quantization
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part
from gad_lightning.schema import DataSchema

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class PretrainedConnector(Connector):
    """A trained copy of a model's projector; the model keeps its own, so that its abilities stay.

    Args:
        projector: of the model.
        family: how it is called.
    """

    def __init__(self, projector: nn.Module, family: Family) -> None:
        super().__init__()
        self.projector = copy.deepcopy(projector).float().requires_grad_(True)
        self.family = family

    def forward(self, frames: Tensor) -> Tensor:
        """Map visual tokens, (n, D) -> (n, H)."""
        return self.family.project(self.projector, frames)


class MultimodalLM(CausalLM):
    """Starts from LLaVA 1.5, LLaVA-OneVision, Qwen2.5-VL or Qwen3-VL instead of a language model alone.

    Features are those of the model's own vision tower, made with
    :class:`~gad_lightning.VisionTower`; with all patches of a frame the states equal the
    original model's. The Qwen models read one token a frame: for more, their rotary positions are not plain.

    The tower and the original projector stay in memory, frozen: see :meth:`~CausalLM.original`.

    Args:
        multimodal_model: hub name or folder.
        lora: arguments of ``peft.LoraConfig``, for the language model; None trains that whole.
        lora_on_head: LoRA on the head that writes tokens too.
        dtype: number format of what is frozen; what is trained stays float32.
        revision: of the hub repository.
        quantization: of the frozen language model (QLoRA).
        gradient_checkpointing: compute each layer again in the backward pass instead of keeping its activations.
    """

    auto_class: ClassVar[str] = "AutoModelForImageTextToText"
    training_only: ClassVar[tuple[str, ...]] = (*CausalLM.training_only, "multimodal_model")

    def __init__(
        self,
        multimodal_model: str,
        lora: dict[str, Any] | None = PAPER_LORA,
        lora_on_head: bool = False,
        dtype: Literal["float32", "bfloat16"] = "float32",
        revision: str | None = None,
        quantization: Quantization | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__(
            multimodal_model,
            lora=lora,
            lora_on_head=lora_on_head,
            connector=self.copy_projector,
            dtype=dtype,
            revision=revision,
            quantization=quantization,
            gradient_checkpointing=gradient_checkpointing,
        )

    def prepare(self, schema: DataSchema, texts: Sequence[str]) -> None:
        """Load the model and its tokenizer.

        Raises:
            SettingError: if the model is of no known family, or the features are not its vision tower's.
        """
        super().prepare(schema, texts)
        features, name, width = schema.features, self.tower_name, self.family.width(self.model.config)
        if features.encoder.split("@")[0] != name or features.width != width:
            raise SettingError(
                f"{name} reads features of its own vision tower, {width} wide; these are of the encoder "
                f"{features.encoder!r}, {features.width} wide.",
                "encode the videos with gad_lightning.VisionTower and the same model",
            )
        if self.family.one_token and features.tokens_per_frame != 1:
            raise SettingError(
                f"The features have {features.tokens_per_frame} tokens a frame; for a {self.model.config.model_type} "
                "plain rotary positions are right for one only.",
                "encode with tokens=pooled",
            )

    def check_model(self, model: PreTrainedModel) -> None:
        """Refuse a model of no known family.

        Raises:
            SettingError: naming its type.
        """
        self.family = family_of(model.config)

    @property
    def tower_name(self) -> str:
        """Name of the encoder that makes the features, without its revision."""
        folder = Path(self.language_model)
        return folder.name if folder.is_dir() else self.language_model

    def copy_projector(self, width: int, hidden_size: int) -> Connector:
        """Make the connector."""
        return PretrainedConnector(self.family.projector(self.causal_lm), self.family)

    def build(self) -> None:
        """Make connector, new tokens and LoRA; freeze the rest, the vision tower and the original projector too."""
        self.causal_lm.requires_grad_(False)
        for part in (self.decoder, self.causal_lm.get_output_embeddings()):
            part.requires_grad_(self.lora is None)
        super().build()

    def made(self) -> dict[str, tuple[Part, int]]:
        """Nothing: the connector comes with the model."""
        return {}
