"""The order of slot and text: what each order promises of what the slot may see."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.auto import AutoContext
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.layout import Text
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.types import IGNORED, Batch, Tokens
from tests.classifiers.making import batch, make, random_frames, schema
from tests.streaming.test_detector import close, live, offline

ORDERS = ["discriminative_first", "parallel", "generative_first"]
LABELS = torch.tensor([1, 2, 3, 0, 4, IGNORED])
ASKED = [[1, 4, 7], [0, 4, 6]]


def gad(order: str, **more: Any) -> Any:
    """A classifier in evaluation mode whose weights depend on the order alone."""
    return make(OrderedGADClassifier, **{"context": PreviousActions(), "order": order, **more}).eval()


def asked(labels: Tensor = LABELS, segments: Tensor | None = None, uniform: Tensor | None = None) -> Batch:
    """Six queries on two videos of 8 frames."""
    given = batch(random_frames(2, 8), ASKED, labels, uniform)
    return given if segments is None else given._replace(segments=segments)


def trained(classifier: Any, given: Batch) -> tuple[Tokens, Tensor]:
    """Tokens as training lays them out, and their states."""
    beside = classifier.writing.text_beside(given)
    tokens = classifier.render(given, classifier.writing.text(given), [] if beside is None else [beside])
    tokens = classifier.backbone.place(tokens)
    with torch.no_grad():
        return tokens, classifier.backbone(tokens, classifier.frames(given))


def slots(classifier: Any, given: Batch) -> Tensor:
    """Slot states in training."""
    tokens, states = trained(classifier, given)
    return tokens.at_slots(states)


@pytest.mark.parametrize("order", ["discriminative_first", "parallel"])
@pytest.mark.parametrize("opener", ["<cls>", ""], ids=["cls", "last visual token"])
def test_the_slot_is_the_same_with_and_without_text(order: str, opener: str) -> None:
    classifier = gad(order, prompt=Prompt(opener=opener))
    with torch.no_grad():
        alone = classifier.scores(asked()).slot_states
    assert torch.allclose(slots(classifier, asked()), alone, atol=1e-5)


def test_the_orders_write_the_same_label_and_context() -> None:
    written = {}
    for order in ORDERS:
        tokens, _ = trained(gad(order), asked())
        target, vocabulary = tokens.target[tokens.target != IGNORED], gad(order).backbone.vocabulary
        words = [token for token in target.tolist() if token not in (vocabulary.end, *vocabulary.encode(","))]
        written[order] = sorted(words)
    assert written["discriminative_first"] == written["parallel"] == written["generative_first"]


def test_in_parallel_the_text_does_not_see_the_slot() -> None:
    classifier = gad("parallel")
    target = trained(classifier, asked())[0].target
    before = trained(classifier, asked())[1][target != IGNORED]
    with torch.no_grad():
        classifier.backbone.new_tokens.input.add_(1.0)  # [CLS] is the only new token
    assert torch.equal(trained(classifier, asked())[1][target != IGNORED], before)
    after_the_slot = gad("discriminative_first")
    target = trained(after_the_slot, asked())[0].target
    before = trained(after_the_slot, asked())[1][target != IGNORED]
    with torch.no_grad():
        after_the_slot.backbone.new_tokens.input.add_(1.0)
    assert not torch.allclose(trained(after_the_slot, asked())[1][target != IGNORED], before, atol=1e-3)


def test_generative_first_sees_the_context_and_no_label() -> None:
    classifier = gad("generative_first")
    other_labels = torch.where(asked().label == IGNORED, IGNORED, (asked().label + 1) % 5)
    known = asked().label != IGNORED
    here = slots(classifier, asked())[known]
    assert torch.allclose(slots(classifier, asked(other_labels))[known], here, atol=1e-6)
    segments = torch.tensor([[[2, 0, 2], [4, 2, 4]]]).expand(2, -1, -1)
    assert not torch.allclose(slots(classifier, asked(segments=segments))[known], here, atol=1e-3)


@pytest.mark.parametrize("context", [PreviousActions(2), GoalContext(), NextActions(with_label=False)])
@pytest.mark.parametrize("opener", [None, "", "]\n<cls>"], ids=["cls", "last token", "mixed"])
def test_at_test_generative_first_is_training_on_the_context_it_wrote(context: Any, opener: str | None) -> None:
    classifier = gad("generative_first", context=context, prompt=Prompt(opener=opener))
    given = asked(torch.zeros(6, dtype=torch.int64))
    texts: list[list[int]] = []
    vocabulary = classifier.backbone.vocabulary
    for query in range(6):  # greedy, each token by a forward pass of its own
        ids: list[int] = []
        while len(ids) < classifier.context_length and ids[-1:] != [vocabulary.end]:
            written = torch.full((6, max(1, len(ids))), -1)
            written[query, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
            branches = classifier.prompt.branches(given.sample, given.anchor, Text(written, written < -1))
            tokens = classifier.prompt.lay_out(given.frame_counts, 8, given.task[:2], branches)
            tokens = classifier.backbone.place(tokens)
            with torch.no_grad():
                states = classifier.backbone(tokens, classifier.frames(given))
                last = (tokens.query.reshape(-1) == query).nonzero()[-1]
                ids.append(int(classifier.backbone.token_logits(states.reshape(-1, 32)[last]).argmax()))
        texts.append(ids if ids[-1] == vocabulary.end else [*ids, vocabulary.end])
    written = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, texts)), batch_first=True, padding_value=-1)
    tokens = classifier.backbone.place(classifier.render(given, Text(written, written < -1)))
    with torch.no_grad():
        expected = tokens.at_slots(classifier.backbone(tokens, classifier.frames(given)))
    with pytest.warns(UserWarning, match="generative_first writes its context at test"):
        scored = classifier.scores(given)
    assert torch.allclose(scored.slot_states, expected, atol=1e-5)
    assert torch.allclose(scored.logits, classifier.heads[0](expected), atol=1e-4)


def test_generative_first_says_only_once_that_it_is_slow() -> None:
    classifier = gad("generative_first")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier.scores(asked())
        classifier.scores(asked())
    assert sum("one forward pass a token" in str(warning.message) for warning in caught) == 1


@pytest.mark.filterwarnings("ignore:generative_first")
def test_generative_first_live_equals_offline() -> None:
    settings = schema(mode="one_pass", short=5, chunk=7)
    classifier = gad("generative_first", schema=settings).double()
    frames = random_frames(1, 16)[0].double()
    scores, states = live(OnlineDetector(classifier), frames)
    expected_scores, expected = offline(classifier, frames)
    assert close(states, expected, 1e-10)
    assert torch.allclose(scores.exp(), expected_scores.exp(), atol=1e-6)


def test_generative_first_learns_only_the_share_it_is_to_write() -> None:
    classifier = gad("generative_first", answer_fraction=0.5)
    draw = torch.tensor([0.1, 0.9, 0.9, 0.9, 0.9, 0.9])
    losses = classifier.losses(asked(uniform=draw))
    assert losses["generation"].count == 1
    assert losses["classification"].count == 5
    whole = slots(gad("generative_first"), asked())
    assert torch.allclose(slots(classifier, asked(uniform=draw)), whole, atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_weight_0_leaves_the_head_the_gradient_of_its_own_loss(order: str) -> None:
    classifier = gad(order, generation_weight=0.0, labels=SingleTokenLabels())
    losses = classifier.losses(asked())
    losses["classification"].sum.backward()
    alone = classifier.heads[0].project.weight.grad.clone()
    classifier.zero_grad()
    torch.stack([loss.sum for loss in classifier.losses(asked()).values()]).sum().backward()
    assert torch.allclose(classifier.heads[0].project.weight.grad, alone, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.filterwarnings("ignore:generative_first")
def test_a_checkpoint_keeps_the_order(order: str) -> None:
    classifier = gad(order)
    checkpoint: dict[str, Any] = {}
    classifier.on_save_checkpoint(checkpoint)
    again = Classifier.made_again(checkpoint, "here", "cpu", ("gad_lightning",))
    assert isinstance(again, OrderedGADClassifier)
    assert again.order == order
    assert torch.allclose(again.scores(asked()).scores, classifier.scores(asked()).scores, atol=1e-6)


def test_generative_first_without_context_is_refused() -> None:
    with pytest.raises(SettingError, match="the slot follows the context, and there is none"):
        make(OrderedGADClassifier, order="generative_first")


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_one_pass_equals_windows_at_the_last_visual_token(kind: type[Classifier]) -> None:
    classifier = make(kind, schema=schema(short=20), prompt=Prompt(opener="")).double().eval()
    assert classifier.backbone.new_tokens.names == []
    frames = random_frames(1, 15).double()
    with torch.no_grad():
        together = classifier.scores(batch(frames, [list(range(15))])).slot_states
        windows = [classifier.scores(batch(frames[:, : end + 1], [[end]])).slot_states for end in range(15)]
    assert close(together, torch.cat(windows), 1e-10)


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_a_stream_reads_the_last_visual_token_as_predictions_do(mode: Any) -> None:
    settings = schema(mode=mode, short=5, chunk=7)
    classifier = make(GADClassifier, schema=settings, prompt=Prompt(opener="")).eval()
    frames = random_frames(1, 20)[0]
    scores, states = live(OnlineDetector(classifier), frames)
    if mode == "one_pass":
        assert close(states, offline(classifier, frames)[1], 1e-5)
        return
    windows = [classifier(frames[max(0, end - 4) : end + 1].unsqueeze(0)) for end in range(20)]
    assert torch.allclose(scores, torch.cat(windows), atol=1e-5)


def test_a_context_that_is_chosen_later_cannot_be_written_at_test() -> None:
    with pytest.raises(SettingError, match="AutoContext has none at first"):
        make(OrderedGADClassifier, context=AutoContext(), order="generative_first")
