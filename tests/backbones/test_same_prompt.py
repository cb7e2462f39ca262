"""A prompt that several rows begin with, read once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import Batch
from tests.backbones.test_causal_lm import LORA, save_model
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames, schema


@pytest.mark.parametrize(("family", "settings"), [("Llama", {}), ("Llama", {"num_key_value_heads": 1}), ("Qwen3", {})])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_slot_states_are_those_of_rows_that_each_read_it(
    family: str, settings: dict[str, int], dtype: str, tmp_path: Path
) -> None:
    backbone = CausalLM(save_model(tmp_path, family, **settings), lora=LORA, dtype=dtype)
    disc = make(DiscriminativeClassifier, backbone=backbone, schema=schema(short=8)).eval()
    asked = of_lengths(8, 3, 8, 5)
    tokens, frames = backbone.place(disc.render(asked)), disc.frames(asked)
    assert tokens.alike == disc.prompt.prompt_lengths[0]
    read: list[tuple[int, ...]] = []
    handle = backbone.blocks[0].mlp.register_forward_hook(lambda _, given, made: read.append(given[0].shape[:2]))
    with torch.no_grad():
        once = backbone.slot_states(tokens, frames)
        each = backbone.slot_states(tokens._replace(alike=0), frames)
    handle.remove()
    apart = 1e-6 if dtype == "float32" else 0.02
    assert torch.allclose(once, each, atol=apart * float(each.abs().max()))
    length = tokens.ids.shape[1]
    assert read == [(1, tokens.alike), (4, length - tokens.alike), (4, length)]


def of_lengths(*counts: int, tokens: int = 1) -> Batch:
    """Windows of so many frames, asked at the last."""
    found = batch(random_frames(len(counts), max(counts), tokens=tokens), [[count - 1] for count in counts])
    return found._replace(frame_counts=torch.tensor(counts))


def test_of_two_questions_the_words_before_they_part_are_read_once() -> None:
    tasks = tuple(Task(name, LabelSet(NAMES, 0)) for name in ("now", "next"))
    question = {"now": "What does the last frame show?", "next": "What does the cook do then?"}
    two = DataSchema(tasks, (), FeatureSpec("test", 4.0, WIDTH, tokens_per_frame=3))
    disc = make(DiscriminativeClassifier, schema=two, prompt=Prompt(question=question, separator=",")).eval()
    asked = of_lengths(4, 6, tokens=3)._replace(task=torch.tensor([0, 1]))
    tokens, frames = disc.backbone.place(disc.render(asked)), disc.frames(asked)
    begin = disc.backbone.vocabulary.begin is not None
    assert tokens.alike == begin + len(disc.backbone.vocabulary.encode("What does the"))
    with torch.no_grad():
        once, each = (disc.backbone.slot_states(one, frames) for one in (tokens, tokens._replace(alike=0)))
    assert torch.allclose(once, each, atol=1e-6 * float(each.abs().max()))


def test_without_words_with_one_row_or_with_gradients_every_row_reads_its_own() -> None:
    speechless = make(DiscriminativeClassifier, prompt=Prompt(template="", question=""))
    disc = make(DiscriminativeClassifier)
    assert disc.backbone.place(disc.render(of_lengths(4))).alike == 0
    assert speechless.backbone.place(speechless.render(of_lengths(4, 6))).alike <= 1
    with torch.no_grad():
        assert speechless(random_frames(2, 4)).isfinite().all()
    read: list[int] = []
    disc.backbone.blocks[0].register_forward_hook(lambda _, given, made: read.append(len(given[0])))
    disc.losses(of_lengths(4, 6))
    disc(random_frames(2, 4)).sum().backward()
    assert read == [2, 2]
