"""What a language model makes of short texts: the mean of its states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gad_lightning.backbones.decoder import decoder_of
from gad_lightning.errors import SettingError
from gad_lightning.types import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOGETHER = 32
"""Texts that are read at once."""


@torch.no_grad()
def mean_states(model: PreTrainedModel, texts: Sequence[str], vocabulary: Vocabulary) -> Tensor:
    """Mean of the decoder's last states over the tokens of each text, the token that opens it left out: (n, H) float32.

    Args:
        model: a Hugging Face causal language model, in evaluation mode.
        texts: n of them.
        vocabulary: of its tokenizer.

    Raises:
        SettingError: if the tokenizer makes no token of a text.
    """
    begin = [] if vocabulary.begin is None else [vocabulary.begin]
    found = []
    for first in range(0, len(texts), TOGETHER):
        ids = [vocabulary.encode(text) for text in texts[first : first + TOGETHER]]
        for text, own in zip(texts[first:], ids, strict=False):
            if not own:
                raise SettingError(f"The tokenizer makes no token of the text {text!r}.", "describe it otherwise")
        rows = [torch.tensor([*begin, *own], device=model.device) for own in ids]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # the model is causal: padding changes nothing
        vectors = model.get_input_embeddings()(padded)
        states: Tensor = decoder_of(model)(inputs_embeds=vectors, use_cache=False).last_hidden_state.float()
        found += [row[len(begin) : len(own)].mean(0) for row, own in zip(states, rows, strict=True)]
    return torch.stack(found)
