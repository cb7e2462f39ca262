"""What prompts see of a tokenizer."""

from __future__ import annotations

import pytest

from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.backbones.tiny import word_tokenizer
from gad_lightning.backbones.tokenizer import TokenizerVocabulary
from gad_lightning.errors import SettingError


def test_new_tokens_come_after_the_vocabulary_and_are_decoded_by_name() -> None:
    tokenizer = word_tokenizer(["add salt"])
    vocabulary = TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens())
    token = vocabulary.new_token("<salt>", written=True)
    assert token == len(tokenizer)
    assert vocabulary.decode([*vocabulary.encode("add"), token]) == "add <salt>"


def test_ordinary_tokens_are_different_words_and_none_special() -> None:
    tokenizer = word_tokenizer(["add salt", "stir sugar"])
    ids = TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens()).ordinary(7)
    assert len(set(ids)) == 7
    assert not set(ids) & set(tokenizer.all_special_ids)


def test_a_tokenizer_without_an_end_is_refused() -> None:
    tokenizer = word_tokenizer(["add salt"])
    tokenizer.eos_token = None
    with pytest.raises(SettingError, match="no end token"):
        TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens())
