"""Plain text for a language model: read from a file, cut into blocks, laid out as tokens without frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.types import Kind, Tokens, Vocabulary

MOST_BYTES = 64 * 1024**2
"""Of a text file: its tokens are held in memory."""
AT_ONCE = 256
"""Characters that are encoded together, at least."""


def read_text(path: Path, whose: str) -> str:
    """Read a text file.

    Args:
        path: of the file.
        whose: what it is for, such as ``--text``.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it is empty, too large, or not UTF-8.
    """
    if not path.is_file():
        raise MissingDataError(f"{whose}: there is no text file {path}.", "give a file of plain text in UTF-8")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            f"{whose}: {path} has {size:,} bytes; {MOST_BYTES:,} are the most.", "give a part of it: some pages do"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{whose}: {path} is no text in UTF-8: {error}.", "save it as UTF-8 text") from error
    if not text.strip():
        raise DataError(f"{whose}: {path} is empty.", "give a file with some text in it")
    return text


def text_blocks(text: str, vocabulary: Vocabulary, length: int) -> Tensor:
    """Cut a text into blocks of tokens, each behind the token that opens a text.

    Args:
        text: any.
        vocabulary: of the backbone's tokenizer.
        length: tokens of a block, at least 2; a rest shorter than half a block is dropped, unless it is all there is.

    Returns:
        (n, length) int64, the last row padded with -1; n is 0 if the tokenizer makes fewer than two tokens of it.
    """
    begin = [] if vocabulary.begin is None else [vocabulary.begin]
    parts, gathered = list[list[int]](), ""
    for line in text.splitlines(keepends=True):  # the time to encode grows faster than a text
        gathered += line
        if len(gathered) >= AT_ONCE:
            parts.append(vocabulary.encode(gathered))
            gathered = ""
    parts.append(vocabulary.encode(gathered))
    ids = [token for part in parts for token in part]
    own = length - len(begin)
    rows = [torch.tensor([*begin, *ids[start : start + own]]) for start in range(0, len(ids), own)]
    kept = [row for number, row in enumerate(rows) if len(row) >= (max(length // 2, 2) if number else 2)]
    if not kept:
        return torch.zeros(0, length, dtype=torch.int64)
    return torch.nn.functional.pad(
        pad_sequence(kept, batch_first=True, padding_value=-1), (0, length - len(kept[0])), value=-1
    )


def text_tokens(rows: Sequence[Sequence[int]] | Tensor) -> Tokens:
    """Lay texts out, each a row of its own without frames; the slot of each is its last token.

    Args:
        rows: n texts as ids, at least one each; or (n, T) padded with -1 on the right.
    """
    given = rows if isinstance(rows, Tensor) else [torch.tensor(row) for row in rows]
    laid = given if isinstance(given, Tensor) else pad_sequence(given, batch_first=True, padding_value=-1)
    tokens, there = Tokens.empty(*laid.shape), laid >= 0
    row, last = torch.arange(len(laid)), there.sum(1) - 1
    places = tokens.places._replace(
        kind=torch.where(there, int(Kind.PROMPT), int(Kind.PAD)),
        sample=torch.where(there, row.unsqueeze(1), -1),
        position=torch.where(there, torch.arange(laid.shape[1]), 0),
    )
    slots = row * laid.shape[1] + last
    return tokens._replace(ids=laid.clamp(min=0), places=places, slots=slots, plain=True)


def followed(laid: Tensor) -> tuple[Tensor, Tensor]:
    """Find the tokens that another one follows: (n, T) padded with -1 -> numbers in (n * T) and the next ids, (k,)."""
    following = torch.cat([laid[:, 1:], laid.new_full((len(laid), 1), -1)], 1).flatten()
    places = ((laid.flatten() >= 0) & (following >= 0)).nonzero().squeeze(1)
    return places, following[places]
