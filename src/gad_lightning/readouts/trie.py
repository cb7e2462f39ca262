"""Greedy decoding among the class names only."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

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
    at = [0] * len(query)
    total = torch.zeros(len(query))
    states = branches.slot_states[query.to(branches.slot_states.device)]
    while len(query):
        scores = _decide(branches, states, [nodes[node] for node in at]) + total.unsqueeze(1)
        going, ids = [], []
        for row, node in enumerate(at):
            edges = nodes[node]
            best = int(scores[row].argmax())
            total[row] = scores[row, best]
            if edges[best].node >= 0:
                at[row] = edges[best].node
                going.append(row)
                ids.append(torch.tensor(edges[best].ids))
                continue
            for column, edge in enumerate(edges):
                if edge.node < 0:
                    result[query[row], edge.classes[0]] = scores[row, column]
        query, total, at = query[going], total[going], [at[row] for row in going]
        if going:
            states = branches.append(query, torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=-1))


def _decide(branches: BranchDecoder, states: Tensor, edges: list[list[Edge]]) -> Tensor:
    """Log-probabilities of the first token of each row's edges, over these tokens alone: (n, most edges)."""
    first = [torch.tensor([edge.ids[0] for edge in row]) for row in edges]
    wanted = torch.cat(first).unique()
    logits = branches.backbone.token_logits(states, wanted.to(states.device)).float().cpu()
    columns = torch.nn.utils.rnn.pad_sequence([torch.searchsorted(wanted, ids) for ids in first], batch_first=True)
    length = torch.tensor([len(row) for row in edges]).unsqueeze(1)
    chosen = logits.gather(1, columns)
    return chosen.masked_fill(torch.arange(columns.shape[1]) >= length, -torch.inf).log_softmax(1)
