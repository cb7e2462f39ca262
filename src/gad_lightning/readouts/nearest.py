"""Free text, mapped to the nearest class name: the published readout."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.prompts.answers import AnswerWriter
from gad_lightning.readouts.base import BranchDecoder, Readout

ROWS = 256
"""Rows of vocabulary logits held at once."""


class NearestReadout(Readout):
    """Writes greedily until the end token, then takes the class name at the smallest Levenshtein distance.

    Ties go to the alphabetically first name. The score of that class is the log-probability of the text written; all
    others have -inf. New tokens count as the class they stand for.

    Args:
        max_tokens: longest text written. The published code stops after 9, which cuts some long names.

    Source: the published code of Pang et al., ICLR 2026.
    """

    def __init__(self, max_tokens: int = 32) -> None:
        self.max_tokens = max_tokens

    def longest(self, writer: AnswerWriter) -> int:
        """The longest text."""
        return self.max_tokens

    def scores(self, branches: BranchDecoder, writer: AnswerWriter, task: Tensor) -> Tensor:
        """Write all queries together."""
        texts, total = write_freely(branches, writer.vocabulary.end, self.max_tokens)
        result = torch.full((len(branches), writer.schema.num_classes), -torch.inf)
        for query, ids in enumerate(texts):
            number = int(task[query])
            exact = next((c for c, known in enumerate(writer.label_ids[number]) if known == ids), None)
            text = writer.vocabulary.decode(ids)
            result[query, _nearest(text, writer.schema.tasks[number].labels.names) if exact is None else exact] = total[
                query
            ]
        return result


def _nearest(text: str, names: tuple[str, ...]) -> int:
    """Index of the name nearest to ``text``, lower-cased and stripped of full stops; ties: alphabetically first.

    Example:
        >>> _nearest(" Add suger.", ("stir sugar", "add sugar", "add salt"))
        1
    """
    from rapidfuzz.distance import Levenshtein

    plain = text.strip().strip(".").lower().strip()
    return min(range(len(names)), key=lambda index: (Levenshtein.distance(plain, names[index].lower()), names[index]))


def write_freely(
    branches: BranchDecoder, end: int, max_tokens: int, first: Tensor | None = None, known: int | None = None
) -> tuple[list[list[int]], Tensor]:
    """Write greedily on every branch.

    Args:
        branches: Q of them.
        end: id that closes a text.
        max_tokens: longest text.
        first: (Q, H) states that the texts follow; the slots' by default.
        known: only the first tokens of the vocabulary are written; all by default.

    Returns:
        Token ids of each text, without the end token, and its log-probability (Q,).
    """
    texts: list[list[int]] = [[] for _ in range(len(branches))]
    total = torch.zeros(len(branches))
    query, states = torch.arange(len(branches)), branches.slot_states if first is None else first
    for step in range(max_tokens):
        best = [branches.backbone.token_logits(rows)[:, :known].log_softmax(1).max(1) for rows in states.split(ROWS)]
        total[query] += torch.cat([part.values for part in best]).float().cpu()
        ids = torch.cat([part.indices for part in best]).cpu()
        going = ids != end
        query, ids = query[going], ids[going]
        for number, token in zip(query.tolist(), ids.tolist(), strict=True):
            texts[number].append(token)
        if not len(query) or step == max_tokens - 1:
            break
        states = branches.append(query, ids.unsqueeze(1))
    return texts, total
