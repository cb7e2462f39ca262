"""Writes a language model of random weights beside a pretrained one: same shape, same tokenizer. For claim 15.

python experiments/claims/random_model.py ../shared/data/models/tinystories-llama-260k runs/claims/random-llama
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="folder, hub name or .gguf file of the pretrained model")
    parser.add_argument("target", help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the weights")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    file = Path(given.source)
    source = (file.parent, file.name) if file.suffix == ".gguf" else (given.source, None)
    config = AutoConfig.from_pretrained(source[0], gguf_file=source[1])
    AutoModelForCausalLM.from_config(config).save_pretrained(given.target)
    AutoTokenizer.from_pretrained(source[0], gguf_file=source[1]).save_pretrained(given.target)
