"""The vocabulary of a backbone without its weights, to count tokens."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.backbones.tokenizer import TokenizerVocabulary
from gad_lightning.backbones.weights.gguf import gguf_file, read_gguf_tokenizer
from gad_lightning.backbones.weights.hub import snapshot
from gad_lightning.errors import SettingError
from gad_lightning.types import Vocabulary


def vocabulary_of(backbone: CausalLM, texts: Sequence[str]) -> Vocabulary:
    """Read the tokenizer that a backbone would use; weights are read only where a backbone makes both at once.

    Args:
        backbone: not prepared.
        texts: all that it must know, for backbones that make their tokenizer from it.

    Raises:
        MissingDataError: if there is no such model.
        SettingError: if it has no tokenizer.
    """
    if type(backbone).load is not CausalLM.load:
        _, tokenizer = backbone.load(texts)
        return TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens())
    from transformers import AutoTokenizer

    folder = snapshot(backbone.language_model, backbone.revision, weights=False)
    if (file := gguf_file(folder)) is not None:
        tokenizer = read_gguf_tokenizer(file)
        return TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens())
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise SettingError(f"{folder} has no tokenizer: {error}", "take a model with its tokenizer") from error
    return TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens())
