"""Vectors of texts: by the language model itself, or by a sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.weights.hub import snapshot
from gad_lightning.errors import SettingError


def embed_texts(backbone: Backbone, texts: Sequence[str], tower: str | None) -> Tensor:
    """Vectors of texts, (n, E) float32 on the CPU.

    Args:
        backbone: the language model.
        texts: n of them.
        tower: folder or hub name of a sentence encoder; None takes the language model.

    Raises:
        MissingDataError: if there is no such encoder.
        SettingError: if it cannot be read, or the language model has none of texts.
    """
    return (backbone.text_states(texts) if tower is None else _sentence_vectors(snapshot(tower), texts)).cpu()


@torch.no_grad()
def _sentence_vectors(folder: Path, texts: Sequence[str]) -> Tensor:
    """Mean of an encoder's states over the tokens of each text, as most sentence encoders want it.

    Raises:
        SettingError: if the folder holds no encoder.
    """
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        encoder = transformers.AutoModel.from_pretrained(folder, trust_remote_code=False).eval()
    except (OSError, ValueError, KeyError) as error:
        raise SettingError(
            f"tower of TextHead: {folder} cannot be used as a sentence encoder: {error}",
            "give the folder of an encoder that transformers has, or leave tower out",
        ) from error
    read = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    states: Tensor = encoder(**read).last_hidden_state.float()
    shown = read["attention_mask"].unsqueeze(-1)
    means: Tensor = (states * shown).sum(1) / shown.sum(1)
    return means
