"""The texts that tell what a language model still can: neutral text, minimal pairs, questions; ours or the user's.

Ours were written for this library, in the manner of BLiMP (Warstadt et al., TACL 2020), of which nothing is copied.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from gad_lightning.csv_rows import read_rows
from gad_lightning.errors import DataError
from gad_lightning.prompts.plain_text import read_text, text_blocks
from gad_lightning.types import Vocabulary

HERE = Path(__file__).resolve().parent / "texts"
BLOCK = 256
"""Most tokens of a block of text."""
BLOCKS = 32
"""Blocks that are read of a text, evenly over it."""
JSON_LINES = ".jsonl"


class Choice(NamedTuple):
    """Texts of which the model should find the first one likelier than every other."""

    rows: tuple[tuple[int, ...], ...]  # token ids
    start: int  # tokens of the beginning that they share and that is not scored


class ProbeTexts(NamedTuple):
    """All that is read beside the task."""

    neutral: Tensor  # (n, T) blocks, padded with -1
    pairs: Sequence[Choice]
    questions: Sequence[Choice]
    own: Tensor | None  # (n, T) blocks of the user's text


def probe_texts(
    vocabulary: Vocabulary, positions: int, text: Path | None = None, pairs: Path | None = None
) -> ProbeTexts:
    """Read and encode the texts.

    Args:
        vocabulary: of the backbone's tokenizer.
        positions: most tokens of a row.
        text: the user's own, in UTF-8.
        pairs: the user's own in place of ours: CSV with the columns ``good`` and ``bad``, or the JSON lines of BLiMP.

    Raises:
        MissingDataError: if a file is not there.
        DataError: if it cannot be used.
    """
    length = min(BLOCK, positions)
    neutral = _spread(text_blocks(read_text(HERE / "neutral.txt", "neutral text"), vocabulary, length))
    own = None if text is None else _spread(text_blocks(read_text(text, "--text"), vocabulary, length))
    for blocks, where in ((neutral, "The neutral text"), (own, f"--text {text}")):
        if blocks is not None and not len(blocks):
            raise DataError(f"{where} gives the tokenizer fewer than two tokens.", "give a longer text")
    read = _pairs_of(pairs or HERE / "pairs.csv")
    sentences = [choice for one in read if (choice := _choice("", one, vocabulary, positions)) is not None]
    if pairs is not None and not sentences:
        raise DataError(f"--pairs {pairs} holds no pair that the tokenizer tells apart.", "give other sentences")
    columns = ("question", "answer", "wrong 1", "wrong 2", "wrong 3")
    asked = [
        _choice(row["question"], [f" {row[name]}" for name in columns[1:]], vocabulary, positions)
        for _, row in read_rows(HERE / "questions.csv", columns, "install the package again")
    ]
    return ProbeTexts(neutral, sentences, [choice for choice in asked if choice is not None], own)


def _spread(blocks: Tensor) -> Tensor:
    """At most so many blocks, evenly over the text."""
    count = len(blocks)
    return blocks[[number * count // BLOCKS for number in range(BLOCKS)]] if count > BLOCKS else blocks


def _choice(shared: str, texts: Sequence[str], vocabulary: Vocabulary, positions: int) -> Choice | None:
    """Encode alternatives behind what they share; None where two have the same tokens, or one does not fit."""
    begin = [*([] if vocabulary.begin is None else [vocabulary.begin]), *(vocabulary.encode(shared) if shared else [])]
    rows = tuple((*begin, *vocabulary.encode(text)) for text in texts)
    if len(set(rows)) < len(rows) or max(map(len, rows)) > positions or min(map(len, rows)) < 2:
        return None
    return Choice(rows, max(len(begin), 1))  # nothing comes before the first token that could score it


def _pairs_of(path: Path) -> list[tuple[str, str]]:
    """Pairs of a file."""
    return _blimp_pairs(path) if path.suffix == JSON_LINES else _csv_pairs(path)


def _csv_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of a CSV file.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it holds something else.
    """
    found = []
    for line, row in read_rows(path, ("good", "bad"), "leave --pairs out"):
        if not row["good"] or not row["bad"]:
            raise DataError(f"{path}, line {line}: good or bad is empty.", "fill it in, or leave the row out")
        found.append((row["good"], row["bad"]))
    return found


def _blimp_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of a file of BLiMP.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it holds something else.
    """
    found = []
    for number, line in enumerate(read_text(path, "--pairs").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append((str(row["sentence_good"]), str(row["sentence_bad"])))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number}: no pair of sentences: {error!r}.",
                'write {"sentence_good": "...", "sentence_bad": "..."} in each line, or a CSV file good,bad',
            ) from error
    return found
