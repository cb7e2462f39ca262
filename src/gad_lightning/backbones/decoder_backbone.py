"""What of a backbone follows from the Hugging Face model that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.decoder import decoder_of, layers_of
from gad_lightning.backbones.execution.rotation import fix_rotation
from gad_lightning.backbones.weights.light import Weights, check_weights, lighten
from gad_lightning.errors import SettingError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PretrainedConfig, PreTrainedModel


class DecoderBackbone(Backbone):
    """Base of backbones around ``self.model``, a causal language model with or without LoRA."""

    model: PreTrainedModel | PeftModel

    @property
    def causal_lm(self) -> PreTrainedModel:
        """The Hugging Face model itself, LoRA inside its layers."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def decoder(self) -> PreTrainedModel:
        """The layers between embedding and head, last norm included."""
        return decoder_of(self.causal_lm)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The decoder's layers."""
        return layers_of(self.decoder)

    def lighten(self, weights: Weights) -> None:
        """Hold linear layers in fewer bits; see :meth:`Backbone.lighten`.

        Raises:
            SettingError: on a quantized base, on a GPU, where that was done before, and if no layer fits.
        """
        check_weights(weights)
        if self.quantized or self.light is not None:
            why = "its base is quantized" if self.light is None else f"they are {self.light} already"
            raise SettingError(
                f"The weights cannot be held in {weights}: {why}, and they would be rounded twice.",
                "load the classifier without weights" if self.light else "leave weights out",
            )
        self.merge()
        lighten(self.decoder, weights)
        self.merged, self.light = True, weights  # also where there was no LoRA: nothing can be trained any more

    @property
    def config(self) -> PretrainedConfig:
        """The text model's configuration."""
        return self.causal_lm.config.get_text_config()

    @property
    def hidden_size(self) -> int:
        """H."""
        return int(self.causal_lm.get_input_embeddings().embedding_dim)

    @property
    def max_positions(self) -> int:
        """Positions the model was made for."""
        return int(self.config.max_position_embeddings)

    def fix_positions(self, positions: int) -> None:
        """Choose the table of rotary positions for rows of that many tokens."""
        fix_rotation(self.decoder, positions, self.hidden_size)

    @property
    def attention_span(self) -> int | None:
        """Tokens that the narrowest of the model's own windows or chunks spans; None if every layer reads all."""
        given = self.config.to_dict()
        kinds = given.get("layer_types")
        spans = [
            given.get(name)
            for kind, name in (("sliding_attention", "sliding_window"), ("chunked_attention", "attention_chunk_size"))
            if kinds is None or kind in kinds
        ]
        return min((int(span) for span in spans if span), default=None)
