"""Checkpoint folders of real Hugging Face classes at tiny sizes, written as a user's would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gad_lightning.backbones.tiny import word_tokenizer

WORDS = ("What is the action in the last frame?", "Assistant:", "background add sugar salt stir <image> <video>", ",")


def llama_folder(folder: Path, tied: bool = True, **sizes: Any) -> Path:
    """Save a Llama of random weights and its tokenizer."""
    from transformers import LlamaForCausalLM

    tokenizer = word_tokenizer(WORDS)
    torch.manual_seed(0)
    model = LlamaForCausalLM(llama_config(len(tokenizer), tie_word_embeddings=tied, **sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def llama_config(vocabulary: int, **sizes: Any) -> Any:
    """Two layers, width 32, four heads."""
    from transformers import LlamaConfig

    given: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 72,  # no multiple of the 64 that nf4 works in
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.1,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return LlamaConfig(**{**given, **sizes})
