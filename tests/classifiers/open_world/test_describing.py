"""Unknown stretches in words: by the answer that was learned, and by the language model of before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.decisions.handing_over import HandedOver, HandOver
from gad_lightning.errors import SettingError
from gad_lightning.prompts.answers import Answer, stack
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from gad_lightning.rejection.max_softmax import MaxSoftmaxScore
from gad_lightning.schema import UNKNOWN
from gad_lightning.types import Batch
from tests.classifiers.making import make, random_frames, schema, train

VIDEO = random_frames(1, 40)[0]


def rejecting(kind: type[Classifier], steps: int = 0, share: float = 0.5, **given: Any) -> Classifier:
    """A classifier with a LoRA that calls a share of the frames unknown, background ones too."""
    given.setdefault("schema", schema(mode="one_pass", short=5, chunk=8))
    given.setdefault("backbone", TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 4}))
    made = make(kind, **given)
    train(made, steps)
    made.eval()
    scores = made.detect(VIDEO).scores
    made.rejector = Rejector(MaxSoftmaxScore(), over_background=True).eval()
    made.rejector.threshold.copy_((-scores.exp().amax(1)).quantile(1 - share))
    return made


def follows(model: Classifier, frames: Tensor, prefix: list[int], words: str) -> float:
    """Log-probability of a text and its end after the answer's prefix, by one pass without a cache."""
    vocabulary = model.backbone.vocabulary
    batch = Batch.at_last_frames(frames[None], torch.tensor([len(frames)]))
    ids = [*prefix, *vocabulary.encode(words), vocabulary.end]
    tokens = model.backbone.place(model.render(batch, stack([Answer(ids, len(prefix))])))
    with torch.no_grad():
        states = model.backbone(tokens, model.frames(batch))
    at = (tokens.target >= 0).reshape(-1)
    chances = model.backbone.token_logits(states.reshape(-1, states.shape[-1])[at]).log_softmax(1)
    return float(chances.detach().gather(1, tokens.target.reshape(-1)[at].unsqueeze(1)).sum())


def test_nothing_is_written_until_so_asked() -> None:
    model = rejecting(GADClassifier)
    assert model.detect(VIDEO).handed_over == ()


@pytest.mark.parametrize("kind", [GADClassifier, GenerativeClassifier])
def test_the_text_from_the_slot_is_the_answer_that_training_teaches(kind: type[Classifier]) -> None:
    model = rejecting(kind, steps=40, backbone=TinyBackbone(hidden_size=32, num_layers=1))
    told = model.hand_over(HandOver(from_base=False), (3, 5), VIDEO[:6], model.detect(VIDEO).scores[5], 60, 0)
    assert told.slot is not None
    assert told.base is None
    prefix = model.backbone.vocabulary.encode("\nAssistant:") if kind is GADClassifier else []
    assert told.slot.text in model.schema.tasks[0].labels.names
    expected = follows(model, VIDEO[:6], prefix, f" {told.slot.text}")
    assert told.slot.log_probability == pytest.approx(expected, abs=1e-4)
    assert told.tokens == len(model.backbone.vocabulary.encode(told.slot.text)) + 1
    assert (told.start_seconds, told.seconds) == (0.75, 1.25)


@pytest.mark.parametrize("order", ["parallel", "generative_first"])
def test_a_text_that_was_learned_beside_the_slot_is_written_there(order: str) -> None:
    model = rejecting(
        OrderedGADClassifier,
        steps=40,
        order=order,
        context=PreviousActions(),
        backbone=TinyBackbone(hidden_size=32, num_layers=1),
    )
    told = model.hand_over(HandOver(from_base=False), (3, 5), VIDEO[:6], model.detect(VIDEO).scores[5], 60, 0)
    assert told.slot is not None
    assert told.slot.text.split(",")[0] in model.schema.tasks[0].labels.names


@pytest.mark.parametrize("slot", [AnchorFrameSlot, LastVisualSlot])
def test_every_slot_can_be_written_after(slot: Any) -> None:
    model = rejecting(GADClassifier, slot=slot())
    told = model.hand_over(HandOver(max_tokens=3), (3, 5), VIDEO[:6], model.detect(VIDEO).scores[5], 60, 0)
    assert told.slot is not None
    assert told.base is not None
    assert told.tokens <= 6


def test_the_base_is_the_language_model_without_its_lora() -> None:
    asked = HandOver(from_slot=False, max_tokens=4)
    model = rejecting(GADClassifier)
    before = model.hand_over(asked, (3, 5), VIDEO[:6], model.detect(VIDEO).scores[5], 60, 0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name or "new_tokens" in name:
                weight.normal_()
    after = model.hand_over(asked, (3, 5), VIDEO[:6], model.detect(VIDEO).scores[5], 60, 0)
    assert before.base == after.base
    own = [model.hand_over(HandOver(from_base=False, max_tokens=4), (3, 5), VIDEO[:6], torch.zeros(5), 60, 0).slot]
    assert own != [before.base]
    assert all(weight.requires_grad for name, weight in model.named_parameters() if "lora_" in name)


def told_in(model: Classifier, **settings: Any) -> tuple[HandedOver, ...]:
    """What is told of the video."""
    return model.detect(VIDEO, hand_over=HandOver(**settings)).handed_over


@pytest.mark.parametrize("mode", ["one_pass", "window"])
def test_every_stretch_that_lasts_is_told_once(mode: Any) -> None:
    model = rejecting(GADClassifier, schema=schema(mode=mode, short=5, chunk=8))
    found = model.detect(VIDEO, hand_over=HandOver(min_seconds=0.5, max_tokens=3, tokens_per_minute=1000))
    long = [part for part in found.segments if part.label == UNKNOWN and part.end_seconds - part.start_seconds >= 0.5]
    assert len(long) > 1
    assert [told.start_seconds for told in found.handed_over] == [part.start_seconds for part in long]
    for told in found.handed_over:
        assert told.seconds == told.start_seconds + 0.25  # at 4 frames a second: the second frame
        known = found.probabilities[round(told.seconds * 4), 1:]
        assert told.nearest == model.schema.tasks[0].labels.names[1 + int(known.argmax())]
        assert told.score == pytest.approx(float(known.max()))
        assert told.slot is not None
        assert told.base is not None


def test_a_minute_that_is_full_leaves_a_stretch_without_words() -> None:
    model = rejecting(GADClassifier)
    told = told_in(model, min_seconds=0.25, max_tokens=3, tokens_per_minute=6)
    assert len(told) > 1
    assert told[0].slot is not None
    assert all(later.slot is None and later.base is None and later.tokens == 0 for later in told[1:])
    assert sum(one.tokens for one in told) <= 6


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ("rejector", {}, "hand_over is set, and nothing is unknown in the task 'action'"),
        ("whole", {}, "was trained whole: the original is gone"),
        ("memory", {}, "cannot write from the slot of a classifier that reads what it remembers"),
        ("short", {"max_tokens": 400, "tokens_per_minute": 800}, "lower max_tokens of HandOver"),
    ],
)
def test_what_cannot_be_handed_over_is_refused(change: str, settings: dict[str, Any], message: str) -> None:
    lora = None if change == "whole" else {"r": 4}
    memory = VerbalizedMemory(2) if change == "memory" else None
    model = rejecting(GADClassifier, backbone=TinyBackbone(32, 1, max_positions=128, lora=lora), memory=memory)
    if change == "rejector":
        model.rejector = None
    with pytest.raises(SettingError, match=message):
        told_in(model, **settings)
    assert not model.detect(VIDEO).handed_over
