"""Classifiers of a given shape with random weights: speed does not depend on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from measure import seconds_of  # isort: skip  # sets how threads wait, before torch is there
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import word_tokenizer
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task, Windows

Format = Literal["float32", "bfloat16"]
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"num_key_value_heads": 2, "vocab_size": 8_000},
    "small": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 8}
    | {"num_key_value_heads": 2, "vocab_size": 32_000},
    # Llama-3.2-1B
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32}
    | {"num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128_256, "tie_word_embeddings": True},
}
VERBS = ("add", "pour", "stir", "cut", "peel", "wash", "open", "close", "take", "put")
NOUNS = ("sugar", "salt", "milk", "flour", "onion", "carrot", "butter", "water", "pepper", "rice", "lid")


class ShapedLM(CausalLM):
    """A Llama of a named shape, random weights.

    Args:
        shape: key of ``SHAPES``.
        filled_on: device that draws the numbers; a GPU is sooner ready with a billion of them.
        **settings: see :class:`CausalLM`.
    """

    def __init__(self, shape: str = "tiny", filled_on: str = "cpu", **settings: Any) -> None:
        super().__init__(shape, **settings)
        self.shape, self.filled_on = shape, filled_on

    def load(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Make the model; its values are small random numbers."""
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(**SHAPES[self.shape], max_position_embeddings=131_072, attn_implementation="sdpa")
        config.dtype = self.dtype
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
        model = model.to(self.dtype).to_empty(device=self.filled_on)
        torch.manual_seed(0)
        for name, weight in model.named_parameters():
            weight.data.fill_(1.0) if "norm" in name else weight.data.uniform_(-0.03, 0.03)
        model.model.rotary_emb = type(model.model.rotary_emb)(config)  # its buffers were left without values
        model.tie_weights()
        return model.eval(), word_tokenizer(texts)


def class_names(number: int) -> list[str]:
    """Background and ``number - 1`` verb-noun names of 2 words, or 4 where those run out."""
    pairs = [f"{verb} {noun}" for noun in NOUNS for verb in VERBS]
    more = [f"{first} and {second}" for first in pairs for second in pairs]
    return ["background", *(pairs + more)[: number - 1]]


@cache
def native(device: str) -> Format:
    """The number format that a device multiplies faster: on CPUs bfloat16 is far the faster one, or far the slower."""

    def seconds(dtype: torch.dtype) -> float:
        left, right = (torch.ones(size, 2048, dtype=dtype, device=device) for size in (256, 2048))
        return min(seconds_of(lambda: torch.nn.functional.linear(left, right), 3))

    return "bfloat16" if seconds(torch.bfloat16) < seconds(torch.float32) else "float32"


def make(
    kind: type[Classifier],
    shape: str,
    windows: Windows,
    features: FeatureSpec,
    names: Sequence[str],
    device: str,
    dtype: Format | None = None,
    **more: Any,
) -> Classifier:
    """A classifier of ``shape`` with LoRA as in the paper: on the language model's head too for GAD and Gen.

    The LoRA is in float32 as published; the rest in ``dtype``, or what the device is faster with if None.
    """
    schema = DataSchema((Task("action", LabelSet(tuple(names), 0)),), (), features, windows)
    rank = 128 if shape == "1b" else 32
    torch.manual_seed(0)
    on_head = kind is not DiscriminativeClassifier
    lora = {"r": rank, "lora_alpha": 2 * rank}
    number_format = dtype or native(device)
    backbone = ShapedLM(shape, filled_on=device, lora=lora, lora_on_head=on_head, dtype=number_format)
    return kind(backbone=backbone, schema=schema, **more).to(device)
