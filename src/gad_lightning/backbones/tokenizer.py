"""The vocabulary of a Hugging Face tokenizer, with the new tokens beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.errors import SettingError
from gad_lightning.types import TextRow

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TokenizerVocabulary:
    """What prompts see of a tokenizer: pieces of text are encoded one by one and joined as ids.

    Args:
        tokenizer: a Hugging Face tokenizer.
        size: V, rows of the embedding (may be more than the tokenizer uses).
        new_tokens: the backbone's table.

    Raises:
        SettingError: if the tokenizer has no end token: an answer could not be closed.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int, new_tokens: NewTokens) -> None:
        self.tokenizer = tokenizer
        self.size = size
        self.new_tokens = new_tokens
        self.begin: int | None = tokenizer.bos_token_id
        if tokenizer.eos_token_id is None:
            raise SettingError("The tokenizer has no end token.", "use a tokenizer with an eos_token")
        self.end: int = tokenizer.eos_token_id
        pieces = tokenizer.tokenize("a")
        # SentencePiece tokenizers put a space before every text of their own accord
        self.adds_space = bool(pieces) and pieces[0].startswith("\u2581")

    def ordinary(self, count: int) -> list[int]:
        """Ids of some tokens with a text of their own, spread over the vocabulary; fewer if it has not so many."""
        known = sorted(set(self.tokenizer.get_vocab().values()) - set(self.tokenizer.all_special_ids))
        known = [token for token in known if token < self.size]
        return known[len(known) // 4 :: max(1, len(known) // 2 // count)][:count]

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``, without begin or end."""
        if self.adds_space and text.startswith(" "):
            text = text[1:]
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids``; new tokens give their names, special tokens nothing."""
        text, known = "", list[int]()
        for token in ids:
            if token < self.size:
                known.append(token)
                continue
            text += (
                self.tokenizer.decode(known, skip_special_tokens=True) + f" {self.new_tokens.names[token - self.size]}"
            )
            known = []
        return text + str(self.tokenizer.decode(known, skip_special_tokens=True))

    def new_token(self, name: str, written: bool = False, text: TextRow | None = None) -> int:
        """Id (V + i) of the new token ``name``."""
        return self.size + self.new_tokens.reserve(name, written, text)

    @property
    def text_width(self) -> int | None:
        """Width of the embeddings of the new tokens' texts; None before they are made."""
        return self.new_tokens.text_width
