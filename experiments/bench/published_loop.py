"""The published test loop in plain code: one frame at a time, everything computed again."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier

try:
    from rapidfuzz.distance.Levenshtein import distance
except ImportError:  # a cluster with the training packages alone; slower, by a millisecond or two a frame
    from torchmetrics.functional.text.helper import _edit_distance as distance


class PublishedLoop:
    """Labels frames as the published scripts do, with a classifier's own weights, LoRA not merged.

    For every frame: the connector over the whole window, all layers over prompt and window, the language model's head
    over *all* positions, and the label through the edit distance. Generative: a key/value cache within the frame, and
    one forward pass per token.

    Args:
        classifier: of any kind, in ``window`` mode.
        generative: whether it writes the label.
        label_tokens: tokens that it then writes (random weights do not say when to stop), the end token not counted.
    """

    def __init__(self, classifier: Classifier, generative: bool, label_tokens: int = 2) -> None:
        self.classifier, self.generative, self.label_tokens = classifier.eval(), generative, label_tokens
        backbone = classifier.backbone
        self.model = backbone.causal_lm
        self.names = classifier.schema.tasks[0].labels.names
        self.prompt = classifier.prompt.prompt_ids[0].to(classifier.device)
        self.opener = classifier.prompt.opener_ids.to(classifier.device)

    def embed(self, ids: Tensor) -> Tensor:
        """Input vectors of text and new tokens: (n,) -> (n, H)."""
        backbone = self.classifier.backbone
        size = backbone.vocabulary.size
        vectors = self.model.get_input_embeddings()(ids.clamp(max=size - 1))
        if bool((ids >= size).any()):
            vectors = torch.where(
                (ids >= size).unsqueeze(1),
                backbone.new_tokens.embed((ids - size).clamp(min=0)).to(vectors.dtype),
                vectors,
            )
        return vectors

    @torch.no_grad()
    def label(self, window: Tensor) -> str:
        """Label the last frame of a window (n, D), or (n, N, D), of features."""
        features = self.classifier.standardize(window).reshape(-1, window.shape[-1])
        visual = self.classifier.backbone.connector(features)
        text, opener = self.embed(self.prompt), self.embed(self.opener)
        vectors = torch.cat([text, visual.to(text.dtype), opener]).unsqueeze(0)
        output = self.model(inputs_embeds=vectors, use_cache=self.generative, output_hidden_states=True)
        written = self.write(output) if self.generative else self.choose(output.hidden_states[-1][0, -1])
        return min(sorted(self.names), key=lambda name: distance(written, name))

    def choose(self, state: Tensor) -> str:
        """Class of the [CLS] state through the head."""
        logits = self.classifier.classify(state.unsqueeze(0).float(), torch.zeros(1, dtype=torch.int64))
        return self.names[int(logits.softmax(1).argmax())]

    def write(self, output: object) -> str:
        """Greedy text, one forward pass a token."""
        ids: list[int] = []
        for _ in range(self.label_tokens):
            best = output.logits[:, -1:].argmax(2)
            ids.append(int(best))
            output = self.model(input_ids=best, past_key_values=output.past_key_values, use_cache=True)
        return self.classifier.backbone.vocabulary.decode(ids).lower().strip(". ")
