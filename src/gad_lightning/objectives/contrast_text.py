"""Slot states and class names in one place: contrast of video and text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.gathering import gathered
from gad_lightning.objectives.write_answer import OF_NEIGHBORS
from gad_lightning.prompts.plain_text import text_tokens
from gad_lightning.schema import DataSchema
from gad_lightning.types import IGNORED, Batch, Loss, Tokens, Vocabulary, first_class

CLOSING = "<text>"
"""The learned vector after a text, where its state is read."""
COLDEST = 0.01
"""Temperatures below it are not learned."""


class ContrastText(Objective):
    """Each slot state is told from all class names, and each name from the slot states of all queries of a batch.

    The same decoder reads every class name by itself, without frames, and a learned vector after it is where the text's
    state is. The loss is the InfoNCE of cosines over a temperature, both ways: a query's own class among all classes,
    and a query among all queries of the batch, of all processes, for its class; so a class has as many positives as
    queries. Moments can then be searched by any text. With the answer beside the slot
    (``OrderedGADClassifier(order="parallel", generation_weight=2)``) it is the recipe of CoCa: weights contrast 1 and
    caption 2. Prediction runs none of it.

    Args:
        embed_width: of the place where states and texts are compared.
        temperature: that cosines are divided by at the start, at least 0.01; it is learned.
        fraction: of the queries that take part, in (0, 1]; by default one in eight of the neighbors that share
            a trunk in one pass, and all in windows.
        weight: of this loss beside the class loss of weight 1.

    Raises:
        SettingError: if ``temperature`` or ``fraction`` is out of range.

    Source: Yu et al., CoCa, TMLR 2022 (arXiv 2205.01917); several positives as in Khosla et al., NeurIPS 2020.
    """

    name: ClassVar[str] = "contrast"

    def __init__(
        self,
        embed_width: int = 128,
        temperature: float = 0.07,
        fraction: float | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        if not COLDEST <= temperature < math.inf:
            raise SettingError(f"temperature must be at least {COLDEST}, got {temperature}.", "0.07 is usual")
        if fraction is not None and not 0 < fraction <= 1:
            raise SettingError(
                f"fraction is a part of the queries and must lie in (0, 1], got {fraction}.", "use 1 for all"
            )
        self.embed_width, self.temperature, self.fraction = embed_width, temperature, fraction

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Reserve the vector after a text, encode the names, and make the projections."""
        usual = OF_NEIGHBORS if schema.windows.mode == "one_pass" else 1.0
        self.compared = usual if self.fraction is None else self.fraction
        first = schema.tasks[0].labels
        self.of_first = torch.tensor([task.labels == first for task in schema.tasks])
        self.classes, self.feature_width = len(first.names), schema.features.width
        self.closing = backbone.vocabulary.new_token(CLOSING)
        self.texts = _text_tokens(first.names, backbone.vocabulary, self.closing)
        self.slot_projection = nn.Linear(backbone.hidden_size, self.embed_width, bias=False)
        self.text_projection = nn.Linear(backbone.hidden_size, self.embed_width, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(self.temperature)))

    def embed(self, states: Tensor) -> Tensor:
        """Embeddings of slot states: (Q, H) -> (Q, p) float32, each of length 1."""
        projected: Tensor = self.slot_projection(states.to(self.slot_projection.weight.dtype))
        return normalize(projected.float(), dim=-1)

    def embed_texts(self, texts: Tokens, backbone: Backbone) -> Tensor:
        """Embeddings of texts laid out by ``_text_tokens``: (n, p) float32, each of length 1; they see no frame."""
        weight = self.text_projection.weight
        place = texts.to(weight.device)
        no_frames = torch.zeros(1, 1, 1, self.feature_width, device=weight.device)
        projected: Tensor = self.text_projection(backbone.slot_states(place, no_frames).to(weight.dtype))
        return normalize(projected.float(), dim=-1)

    def embed_words(self, texts: Sequence[str], backbone: Backbone) -> Tensor:
        """Embeddings of any texts, (n, p) float32, to be compared with those of slot states."""
        with torch.no_grad():
            return self.embed_texts(_text_tokens(texts, backbone.vocabulary, self.closing), backbone)

    def positives(self, batch: Batch) -> Tensor:
        """The classes of each query as shares that sum to 1, (Q, C) float32; zeros where it is not compared."""
        scored = (first_class(batch.label) != IGNORED) & self.of_first[batch.task] & (batch.uniform < self.compared)
        if batch.label.dim() == 2:
            several = batch.label[:, : self.classes].clamp(min=0).float() * scored.unsqueeze(1)
            return several / several.sum(1, keepdim=True).clamp(min=1)
        label = torch.where(scored, batch.label, 0)
        return one_hot(label, self.classes).float() * scored.unsqueeze(1)

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compute both cross entropies of this process's queries."""
        positives = self.positives(batch)
        chosen = positives.any(1)
        own = self.embed(tokens.at_slots(states)[chosen.to(states.device)])
        every, texts = gathered(own), self.embed_texts(self.texts, backbone)
        with torch.autocast(states.device.type, enabled=False):
            scale = self.log_scale.clamp(max=-math.log(COLDEST)).exp().float()
            losses = _contrast(scale * own @ texts.T, scale * every @ texts.T, positives[chosen].to(states.device))
        # without a query here, the others still wait for this process's part of the exchange
        return Loss(losses.sum() + 0 * (every.sum() + texts.sum() + scale), losses.new_tensor(float(len(own))))


def _contrast(own: Tensor, every: Tensor, positives: Tensor) -> Tensor:
    """InfoNCE both ways, of each query: (n,).

    Args:
        own: (n, C) logits of n queries.
        every: (N, C) logits of all queries, those among them.
        positives: (n, C) shares of each query's classes, which sum to 1.
    """
    among_classes = own.logsumexp(1, keepdim=True) - own
    among_queries = every.logsumexp(0) - own if len(every) else own
    return ((among_classes + among_queries) * positives).sum(1)


def _text_tokens(texts: Sequence[str], vocabulary: Vocabulary, closing: int) -> Tokens:
    """Lay texts out, each a row of its own without frames, the learned vector after it as the slot.

    Args:
        texts: n of them.
        vocabulary: the backbone's.
        closing: id of the learned vector.

    Raises:
        SettingError: if two texts have the same tokens.
    """
    begin = [] if vocabulary.begin is None else [vocabulary.begin]
    encoded = [[*begin, *vocabulary.encode(f" {text}"), closing] for text in texts]
    first: dict[tuple[int, ...], str] = {}
    for text, ids in zip(texts, encoded, strict=True):
        other = first.setdefault(tuple(ids), text)
        if other != text:
            raise SettingError(
                f"The texts {other!r} and {text!r} have the same tokens.", "rename one, or take another tokenizer"
            )
    return text_tokens(encoded)
