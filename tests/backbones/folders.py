"""Checkpoint folders of real Hugging Face classes at tiny sizes, written as a user's would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gad_lightning.backbones.tiny import word_tokenizer

WORDS = ("What is the action in the last frame?", "Assistant:", "background add sugar salt stir <image> <video>", ",")


def llama_folder(folder: Path, tied: bool = True, words: Sequence[str] = (), **sizes: Any) -> Path:
    """Save a Llama of random weights and its tokenizer, which knows further ``words``."""
    from transformers import LlamaForCausalLM

    tokenizer = word_tokenizer([*WORDS, *words])
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


def save(model: Any, processor: Any, tokenizer: Any, folder: Path) -> Path:
    """Write the three parts of a multimodal checkpoint."""
    for part in (model, processor, tokenizer):
        part.save_pretrained(folder)
    return folder


def llava_folder(folder: Path, layer: int | list[int] = -2) -> Path:
    """Save a LLaVA: CLIP tower of 3 layers on pictures of 32 x 32 in 16 patches, Llama of 2 layers."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = word_tokenizer(WORDS)
    tower = CLIPVisionConfig(
        hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2, image_size=32, patch_size=8
    )
    config = LlavaConfig(
        vision_config=tower,
        text_config=llama_config(len(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("image"),
        vision_feature_layer=layer,
    )
    torch.manual_seed(0)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return save(LlavaForConditionalGeneration(config), processor, tokenizer, folder)


def onevision_folder(folder: Path, side: int = 32) -> Path:
    """Save a LLaVA-OneVision: SigLIP tower on patches of 8 x 8, Qwen2 of 2 layers."""
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        Qwen2Config,
        SiglipVisionConfig,
    )
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
        LlavaOnevisionImageProcessorPil,
    )

    tokenizer = word_tokenizer(WORDS)
    tower = SiglipVisionConfig(
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=side,
        patch_size=8,
        vision_use_head=False,
    )
    config = LlavaOnevisionConfig(
        vision_config=tower,
        text_config=Qwen2Config(**llama_config(len(tokenizer)).to_diff_dict() | {"model_type": "qwen2"}),
        image_token_index=tokenizer.convert_tokens_to_ids("image"),
        video_token_index=tokenizer.convert_tokens_to_ids("video"),
        image_grid_pinpoints=[[side, side]],
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    torch.manual_seed(0)
    processor = LlavaOnevisionImageProcessorPil(
        size={"height": side, "width": side}, image_grid_pinpoints=[[side, side]]
    )
    return save(LlavaOnevisionForConditionalGeneration(config), processor, tokenizer, folder)


def qwen_folder(folder: Path, generation: str) -> Path:
    """Save a Qwen2.5-VL or Qwen3-VL (``generation`` "2.5" or "3"): patches of 4 x 4, four to a token."""
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = word_tokenizer(WORDS)
    family = "Qwen2_5_VL" if generation == "2.5" else "Qwen3VL"
    vision: dict[str, Any] = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4, "out_hidden_size": 32,
        "window_size": 16, "fullatt_block_indexes": [1], "deepstack_visual_indexes": [0], "num_position_embeddings": 16,
    }  # fmt: skip
    text = llama_config(len(tokenizer)).to_diff_dict()
    text |= {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}}
    text |= {"head_dim": 8, "pad_token_id": None}
    special = {
        name: tokenizer.convert_tokens_to_ids(word)
        for name, word in {
            "image_token_id": "image",
            "video_token_id": "video",
            "vision_start_token_id": "<spare0>",
            "vision_end_token_id": "<spare1>",
        }.items()
    }
    config = getattr(transformers, f"{family}Config")(vision_config=vision, text_config=text, **special)
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    processor = Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, size={"shortest_edge": 64, "longest_edge": 8 * 8 * 16}
    )
    return save(model, processor, tokenizer, folder)


def family_model(family: str, **settings: Any) -> tuple[Any, Any]:
    """A model of two layers and random weights of any causal family, and a tokenizer that fits it."""
    import transformers

    tokenizer = word_tokenizer(WORDS)
    given = llama_config(len(tokenizer), **{"intermediate_size": 64, "head_dim": 8, "pad_token_id": 0}).to_diff_dict()
    for name in ("model_type", "transformers_version", "rope_parameters"):
        given.pop(name, None)
    text = f"{family}TextConfig" if hasattr(transformers, f"{family}TextConfig") else f"{family}Config"
    kind = "GPT2LMHeadModel" if family == "GPT2" else f"{family}ForCausalLM"
    torch.manual_seed(1)
    return getattr(transformers, kind)(getattr(transformers, text)(**{**given, **settings})), tokenizer


def family_folder(folder: Path, family: str, **settings: Any) -> Path:
    """Save such a model with its tokenizer."""
    model, tokenizer = family_model(family, **settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
