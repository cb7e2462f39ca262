"""Greedy decoding among the class names only."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gad_lightning.prompts.answers import AnswerWriter
from gad_lightning.readouts.base import BranchDecoder, Readout


class Edge(NamedTuple):
    """The way from one decision to the next."""

    ids: list[int]  # tokens on it; the first is what is decided, the others are forced
    classes: list[int]  # classes below
    node: int  # the next decision; -1 if one class is left


class TrieReadout(Readout):
    """Chooses at every branching of the class names' token tree the likeliest token; forced tokens cost no decision.

    The score of the chosen class is the sum of the log-probabilities of its decisions, each over the tokens allowed
    there; the classes that lost only the last decision have a score too, all others -inf. Labels are closed by the end
    token, so "walking" and "walking upstairs" differ.
    """

    def scores(self, branches: BranchDecoder, writer: AnswerWriter, task: Tensor) -> Tensor:
        """Decode all queries together, task by task."""
        result = torch.full((len(branches), writer.schema.num_classes), -torch.inf)
        for number in task.unique().tolist():
            query = (task == number).nonzero().squeeze(1)
            _grow(branches, query, decisions(writer.label_answers(number)), result)
        return result


def decisions(answers: list[list[int]]) -> list[list[Edge]]:
    """Build the tree of decisions: per node its edges, node 0 the root; forced tokens lie within edges.

    Example:
        >>> [[edge.ids for edge in node] for node in decisions([[5, 6, 2], [5, 7, 2], [8, 2]])]
        [[[5], [8, 2]], [[6, 2], [7, 2]]]
    """
    nodes: list[list[Edge]] = []

    def add(classes: list[int], depth: int) -> int:
        """Add the node of some classes whose first ``depth`` tokens are the same, and all below; return its number."""
        number = len(nodes)
        nodes.append([])
        by_token: dict[int, list[int]] = {}
        for index in classes:
            by_token.setdefault(answers[index][depth], []).append(index)
        for below in by_token.values():
            end = depth + 1
            if len(below) == 1:
                end = len(answers[below[0]])
            else:
                while len({answers[index][end] for index in below}) == 1:
                    end += 1
            node = -1 if len(below) == 1 else add(below, end)
            nodes[number].append(Edge(answers[below[0]][depth:end], below, node))
        return number

    add(list(range(len(answers))), 0)
    return nodes


def _grow(branches: BranchDecoder, query: Tensor, nodes: list[list[Edge]], result: Tensor) -> None:
    """Walk all queries down the tree, one forward pass a level, and write their scores into ``result``."""
    first = pad_sequence([torch.tensor([edge.ids[0] for edge in node]) for node in nodes], True, -1)
    ends = [[(column, edge.classes[0]) for column, edge in enumerate(node) if edge.node < 0] for node in nodes]
    at, total = [0] * len(query), torch.zeros(len(query))
    states = branches.slot_states[query.to(branches.slot_states.device)]
    while len(query):
        scores = _decide(branches, states, first[at]) + total.unsqueeze(1)
        best = scores.argmax(1)
        chosen = [nodes[node][column] for node, column in zip(at, best.tolist(), strict=True)]
        going = [row for row, edge in enumerate(chosen) if edge.node >= 0]
        ended = [
            (row, *end) for row, (node, edge) in enumerate(zip(at, chosen, strict=True)) if edge.node < 0
            for end in ends[node]
        ]  # fmt: skip
        row, column, found = torch.tensor(ended, dtype=torch.int64).reshape(-1, 3).unbind(1)
        result[query[row], found] = scores[row, column]
        if not going:
            return
        query, total = query[going], scores.gather(1, best.unsqueeze(1)).squeeze(1)[going]
        at = [chosen[row].node for row in going]
        longest = max(len(chosen[row].ids) for row in going)
        ids = [chosen[row].ids + [-1] * (longest - len(chosen[row].ids)) for row in going]
        states = branches.append(query, torch.tensor(ids))


def _decide(branches: BranchDecoder, states: Tensor, first: Tensor) -> Tensor:
    """Log-probabilities of the tokens ``first`` (n, most), -1 after the end of a row, over a row's own: (n, most)."""
    wanted = first[first >= 0].unique()
    logits = branches.backbone.token_logits(states, wanted.to(states.device)).float().cpu()
    chosen = logits.gather(1, torch.searchsorted(wanted, first.clamp(min=int(wanted[0]))))
    return chosen.masked_fill(first < 0, -torch.inf).log_softmax(1)
