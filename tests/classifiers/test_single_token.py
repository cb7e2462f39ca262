"""Generation of one new token a class, over the classes or over the whole vocabulary, beside the same as a head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.types import Batch
from tests.classifiers.making import NAMES, batch, make, random_frames


def pair(readout: Any, opener: str) -> tuple[Any, Any]:
    """A generative classifier of single label tokens, and a discriminative one with the same weights and opener."""
    gen = make(GenerativeClassifier, labels=SingleTokenLabels(), readout=readout, prompt=Prompt(opener=opener)).eval()
    disc = make(DiscriminativeClassifier, head=VocabularyHead, prompt=Prompt(opener=opener)).eval()
    own = disc.state_dict()
    disc.load_state_dict(
        {name: w for name, w in gen.state_dict().items() if name in own and w.shape == own[name].shape}, strict=False
    )
    with torch.no_grad():
        disc.heads[0].rows.weight.copy_(gen.backbone.new_tokens.output)
        if disc.backbone.new_tokens.input is not None:
            row = gen.backbone.new_tokens.names.index("<cls>")
            disc.backbone.new_tokens.input.copy_(gen.backbone.new_tokens.input[row : row + 1])
    return gen, disc


def last_frames(frames: Tensor) -> Batch:
    """Asked at the last frame of each sample."""
    return batch(frames, [[frames.shape[1] - 1]] * len(frames))


def whole_logits(gen: Any, frames: Tensor) -> Tensor:
    """Logits of all words and all classes at the slots, (Q, V + K)."""
    given = last_frames(frames)
    tokens = gen.backbone.place(gen.render(given))
    with torch.no_grad():
        logits: Tensor = gen.backbone.token_logits(tokens.at_slots(gen.backbone(tokens, gen.frames(given))))
    return logits


@pytest.mark.parametrize("opener", ["\nAssistant:", "<cls>", ""], ids=["text", "cls", "last visual token"])
def test_over_the_classes_it_is_the_discriminative_classifier(opener: str) -> None:
    gen, disc = pair(TrieReadout(), opener)
    frames = random_frames(6, 8)
    assert torch.allclose(gen(frames), disc(frames), atol=1e-5)


@pytest.mark.parametrize("opener", ["\nAssistant:", "<cls>"], ids=["text", "cls"])
def test_over_the_whole_vocabulary_only_the_words_take_their_share(opener: str) -> None:
    gen, disc = pair(NearestReadout(max_tokens=1), opener)
    frames = random_frames(24, 8)
    states = gen.scores(last_frames(frames)).slot_states
    middle = states.mean(0)
    aside = (states[0] - middle) - (states[0] - middle) @ middle / middle.dot(middle) * middle
    with torch.no_grad():  # words have logits of 0; those of the first class lie on both sides, of all others far below
        gen.backbone.causal_lm.get_output_embeddings().weight.zero_()
        gen.backbone.new_tokens.output.copy_(torch.stack([4 * aside, *[-middle] * (len(NAMES) - 1)]))
        disc.heads[0].rows.weight.copy_(gen.backbone.new_tokens.output)
    size, first = gen.backbone.vocabulary.size, gen.backbone.new_tokens.names.index(f"<{NAMES[0]}>")
    every = whole_logits(gen, frames)
    classes = every[:, size + first : size + first + len(NAMES)]
    share = classes.logsumexp(1) - every.logsumexp(1)
    scores, alone = gen(frames), disc(frames)
    wins = every.argmax(1) >= size
    assert 3 < int(wins.sum()) < 22, "the test shows both cases"
    assert torch.equal(scores.argmax(1)[wins], alone.argmax(1)[wins])
    assert torch.allclose(scores.max(1).values[wins], (alone.max(1).values + share)[wins], atol=1e-4)
    assert torch.allclose(scores.max(1).values, every.log_softmax(1).max(1).values, atol=1e-4)


def test_read_as_names_the_end_token_counts_too() -> None:
    gen, disc = pair(LikelihoodReadout(), "\nAssistant:")
    frames = random_frames(4, 8)
    assert not torch.allclose(gen(frames), disc(frames), atol=1e-4)
