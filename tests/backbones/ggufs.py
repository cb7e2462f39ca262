"""A tiny Llama as a GGUF file, written by the ``gguf`` package itself."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM

HEADS, KEY_HEADS = 4, 2
SPECIAL = ("<unk>", "<s>", "</s>")
LETTERS = [chr(code) for code in range(33, 127)]
TOKENS = [*SPECIAL, *LETTERS, "\u0120", "\u010a", "ad"]  # every letter is a token; then space, line end and one pair
NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}


def small_llama(seed: int = 0) -> LlamaForCausalLM:
    """Two layers of width 64 and random weights; embedding and head apart."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(TOKENS),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=HEADS,
            num_key_value_heads=KEY_HEADS,
            max_position_embeddings=512,
            initializer_range=0.1,
            rms_norm_eps=1e-5,
            bos_token_id=1,
            eos_token_id=2,
            tie_word_embeddings=False,
        )
    )


def write_gguf(
    model: LlamaForCausalLM,
    file: Path,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    architecture: str = "llama",
) -> Path:
    """Write a model with its tokenizer; its matrices are stored as ``kind``."""
    config, writer = model.config, gguf.GGUFWriter(file, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(TOKENS) - 3))
    writer.add_token_merges(["a d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, weight in model.state_dict().items():
        _write(writer, name, weight.float().numpy(), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _write(writer: gguf.GGUFWriter, name: str, weight: NDArray[np.float32], kind: gguf.GGMLQuantizationType) -> None:
    """Add one weight under its name in llama.cpp, whose rotary pairs lie side by side."""
    layer, inner = "", name
    if name.startswith("model.layers."):
        _, _, layer, inner = name.split(".", 3)
    if inner.startswith(("self_attn.q_proj", "self_attn.k_proj")):
        heads = HEADS if "q_proj" in inner else KEY_HEADS
        halves = weight.reshape(heads, 2, len(weight) // heads // 2, weight.shape[1])
        weight = halves.swapaxes(1, 2).reshape(weight.shape)
    stored = f"blk.{layer}.{NAMES[inner]}" if layer else NAMES[inner]
    if weight.ndim == 1 or kind == gguf.GGMLQuantizationType.F32:
        writer.add_tensor(stored, np.ascontiguousarray(weight))
    else:
        writer.add_tensor(stored, gguf.quants.quantize(weight, kind), raw_dtype=kind)
