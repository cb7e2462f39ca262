"""One step as a function gives what OnlineDetector gives, over the seams of chunks, whatever else is pushed beside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.exporting.live_step import LiveStep
from gad_lightning.heads.base import ClassifierHead
from gad_lightning.heads.cosine import CosineHead
from gad_lightning.heads.factor import FactorHead
from gad_lightning.heads.linear import LinearHead
from gad_lightning.heads.mlp import MLPHead
from gad_lightning.heads.text import TextHead
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot
from gad_lightning.prompts.slots.base import Slot
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.streaming.detector import OnlineDetector
from tests.backbones.folders import llama_folder
from tests.classifiers.making import make, random_frames, schema
from tests.exporting.moving import LORA, moved

STARTS = (0, 2, 9)
"""Calls before the first frame of each stream."""


def labels_of(step: LiveStep, frames: Tensor, starts: tuple[int, ...] = STARTS) -> list[Tensor]:
    """Scores of each stream's frames, (S, T, ...), where streams begin at different times: those there, (T, C) each."""
    kept = step.empty(len(starts))
    scores: list[list[Tensor]] = [[] for _ in starts]
    with torch.no_grad():
        for time in range(frames.shape[1] + max(starts)):
            pushed = [s for s, start in enumerate(starts) if 0 <= time - start < frames.shape[1]]
            number = torch.tensor([time - starts[stream] for stream in pushed])
            made, *new = step(frames[pushed, number], number, *(part[pushed] for part in kept.values()))
            for part, given in zip(kept.values(), new, strict=True):
                part[pushed] = given
            for stream, row in zip(pushed, made, strict=True):
                scores[stream].append(row)
    return [torch.stack(rows) for rows in scores]


def check(classifier: Classifier, length: int, tokens: int, task: int = 0) -> None:
    """Compare a step with a detector, frame for frame, from before any weight is merged."""
    frames = random_frames(len(STARTS), length, tokens=tokens)
    detector = OnlineDetector(classifier.eval(), len(STARTS), task=task)
    expected = torch.stack([detector.push(frames[:, time]).scores for time in range(length)], 1)
    for found, wanted in zip(labels_of(LiveStep(classifier, task), frames), expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("short", "chunk", "tokens", "prompt", "slot"),
    [
        pytest.param(5, 7, 1, Prompt(), None, id="chunks longer than windows"),
        pytest.param(7, 2, 2, Prompt(separator=","), None, id="four chunks at once, separators"),
        pytest.param(4, 4, 1, Prompt(opener="]\n<cls>"), AnchorFrameSlot(), id="a slot told of its frame"),
        pytest.param(5, 4, 3, Prompt(separator=", "), WindowMeanSlot(), id="a slot told of its window"),
        pytest.param(5, 4, 2, Prompt(separator=",", opener=""), None, id="no opener"),
        pytest.param(1, 3, 1, Prompt(), None, id="windows of one frame"),
    ],
)
def test_scores_are_a_detectors_over_three_seams(
    short: int, chunk: int, tokens: int, prompt: Prompt, slot: Slot | None
) -> None:
    given = schema(mode="one_pass", short=short, chunk=chunk)
    features = given.features._replace(tokens_per_frame=tokens, mean=(0.3,) * 6, std=(2.0,) * 6)
    backbone = TinyBackbone(hidden_size=32, lora=LORA)
    made = make(DiscriminativeClassifier, schema=given._replace(features=features), prompt=prompt, slot=slot,
                backbone=backbone)  # fmt: skip
    check(moved(made), 3 * chunk + 2, tokens)


@pytest.mark.parametrize("head", [LinearHead, CosineHead, FactorHead, MLPHead, TextHead, VocabularyHead])
def test_every_head_is_part_of_a_step(head: type[ClassifierHead]) -> None:
    backbone = TinyBackbone(hidden_size=32, lora=LORA)
    given = schema(mode="one_pass", short=3, chunk=2)
    check(moved(make(GADClassifier, schema=given, head=head, backbone=backbone)), 7, 1)


def test_a_step_keeps_the_same_whatever_lay_in_a_ring_before_frame_0() -> None:
    step = LiveStep(moved(make(DiscriminativeClassifier, schema=schema(mode="one_pass", short=4, chunk=3))))
    frames = random_frames(1, 9)
    clean, dirty = step.empty(1)["rings"], torch.full_like(step.empty(1)["rings"], 7.0)
    with torch.no_grad():
        for time in range(9):
            number = torch.tensor([time])
            wanted, clean = step(frames[:, time], number, clean)
            found, dirty = step(frames[:, time], number, dirty)
            assert torch.equal(found, wanted)


def test_a_classifier_of_window_mode_is_told_what_to_export_instead() -> None:
    with pytest.raises(SettingError, match=r"trained in window mode.*no step to export") as refused:
        LiveStep(make(DiscriminativeClassifier, schema=schema(short=8, long=4)))
    assert "keep the last 12 frames of each stream" in str(refused.value)


def test_a_quantized_base_is_refused(tmp_path: Path) -> None:
    quantized = CausalLM(str(llama_folder(tmp_path / "llama")), lora=LORA, quantization="nf4")
    with pytest.raises(SettingError, match="a LoRA cannot be merged into it"):
        LiveStep(make(GADClassifier, backbone=quantized, schema=schema(mode="one_pass", short=4, chunk=3)))
