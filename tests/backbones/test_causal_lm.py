"""Hugging Face models of real classes, loaded from folders as a user's are."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import word_tokenizer
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.readouts.nearest import NearestReadout
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
LORA = {"r": 4, "lora_alpha": 8}
FAMILIES = pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3", "Mistral"])


def save_model(folder: Path, family: str, **settings: Any) -> str:
    """A model of a real class with random weights, saved with its tokenizer."""
    import transformers

    texts = [*NAMES, "What is the action in the last frame? Assistant: ,"]
    # Qwen's folders are always read as byte-level tokenizers
    tokenizer = byte_tokenizer(texts) if "Qwen" in family else word_tokenizer(texts)
    config = getattr(transformers, f"{family}Config")(**{**SHAPE, "vocab_size": len(tokenizer), **settings})
    torch.manual_seed(1)
    getattr(transformers, f"{family}ForCausalLM")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def byte_tokenizer(texts: list[str]) -> Any:
    """Byte-pair encoding learned on a few texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=letters, special_tokens=["<|endoftext|>"])
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


def separate_pass(classifier: GADClassifier, frames: Tensor, end: int) -> Tensor:
    """[CLS] state by the unmodified model's own causal forward pass over prompt, frames and [CLS] alone."""
    backbone = classifier.backbone
    text = backbone.causal_lm.get_input_embeddings()(classifier.prompt.prompt_ids[0])
    visual = backbone.connector(frames[0, : end + 1, 0])
    cls = backbone.new_tokens.input[:1]
    with torch.no_grad():
        vectors = torch.cat([text, visual, cls]).unsqueeze(0)
        return backbone.causal_lm.model(inputs_embeds=vectors).last_hidden_state[0, -1]


@FAMILIES
def test_one_pass_equals_the_models_own_forward_on_prefixes(family: str, tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, family), lora=LORA)
    gad = make(GADClassifier, backbone=backbone, schema=schema(mode="one_pass", short=64, chunk=64)).eval()
    frames = random_frames(1, 20)
    with torch.no_grad():
        slots = gad.scores(batch(frames, [list(range(20))])).slot_states
    for end in (0, 7, 19):
        assert torch.allclose(slots[end], separate_pass(gad, frames, end), atol=1e-5)


def test_pretrained_weights_are_used_and_merged_equals_unmerged(shared: Path) -> None:
    folder = str(shared / "data/models/tinystories-llama-260k")
    settings = schema(mode="one_pass", short=16, chunk=16)
    gen = make(GenerativeClassifier, backbone=CausalLM(folder, lora=LORA, lora_on_head=True), schema=settings).eval()
    assert gen.backbone.hidden_size == 64
    for name, weight in gen.backbone.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    frames, asked = random_frames(1, 12), [[0, 5, 11]]
    before = gen.scores(batch(frames, asked))
    slots = before.slot_states.detach()
    logits = gen.backbone.token_logits(slots)
    embedding = gen.backbone.causal_lm.get_input_embeddings().weight.clone()
    assert gen.backbone.merge() == 0.0
    assert torch.equal(gen.backbone.causal_lm.get_input_embeddings().weight, embedding)
    assert torch.allclose(gen.scores(batch(frames, asked)).scores.exp(), before.scores.exp(), atol=1e-5)
    assert torch.allclose(gen.backbone.token_logits(slots), logits, atol=1e-4)


@pytest.mark.parametrize("on_head", [False, True])
def test_under_autocast_a_lora_keeps_no_float32_copy_of_its_input(on_head: bool, tmp_path: Path) -> None:
    lm = CausalLM(save_model(tmp_path, "Llama"), lora=LORA, lora_on_head=on_head, dtype="bfloat16")
    gad = make(GADClassifier, backbone=lm, schema=schema(mode="one_pass", short=16, chunk=16))
    asked = batch(random_frames(1, 12), [[0, 5, 11]], torch.tensor([1, 2, 3]))
    kept: list[Tensor] = []

    def step() -> int:
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: kept.append(saved) or saved, lambda saved: saved):
            losses = gad.losses(asked)
        sum(loss.sum / loss.count for loss in losses.values()).backward()
        return sum(saved.nbytes for saved in kept)

    with torch.autocast("cpu", torch.bfloat16):
        frugal = step()
    assert frugal < 0.9 * step(), "outside autocast the copies are made, or bfloat16 would meet float32"
    with torch.autocast("cpu", torch.bfloat16):
        assert step() == frugal
    with torch.no_grad():
        assert gad.eval().scores(asked).scores.isfinite().all()


def test_the_pretrained_model_still_tells_its_story(shared: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = shared / "data/models/tinystories-llama-260k"
    original = AutoModelForCausalLM.from_pretrained(folder).eval()
    gen = make(GenerativeClassifier, backbone=CausalLM(str(folder), lora=LORA)).eval()
    start = torch.tensor([[1]])
    with gen.backbone.model.disable_adapter():
        told = gen.backbone.causal_lm.generate(start, max_new_tokens=30, do_sample=False)
    assert torch.equal(told, original.generate(start, max_new_tokens=30, do_sample=False))


def test_names_are_written_with_the_pretrained_tokenizer(shared: Path) -> None:
    folder = str(shared / "data/models/tinystories-llama-260k")
    gen = make(GenerativeClassifier, backbone=CausalLM(folder, lora=LORA), readout=NearestReadout(4)).eval()
    assert [gen.backbone.vocabulary.decode(ids).strip() for ids in gen.writer.label_ids[0]] == list(NAMES)


def test_a_model_that_cannot_hold_prompt_window_and_chunk_is_refused(tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, "Llama"), lora=LORA)
    with pytest.raises(SettingError, match=r"need \d+ positions; the language model's max_positions is 256"):
        make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="one_pass", short=100, chunk=200))


def test_a_model_with_a_shorter_window_of_its_own_is_refused(tmp_path: Path) -> None:
    backbone = CausalLM(save_model(tmp_path, "Mistral", sliding_window=40), lora=LORA)
    with pytest.raises(SettingError, match="own window is 40"):
        make(DiscriminativeClassifier, backbone=backbone, schema=schema(mode="window", short=50))


def test_a_missing_model_is_named() -> None:
    with pytest.raises(MissingDataError, match=r"\./nowhere"):
        make(GADClassifier, backbone=CausalLM("./nowhere"))


def test_an_unknown_lora_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="rank"):
        make(GADClassifier, backbone=CausalLM(save_model(tmp_path, "Llama"), lora={"rank": 4}))


def test_the_fingerprint_is_of_the_weights_in_any_number_format(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "one", "Llama")
    other = save_model(tmp_path / "two", "Llama", hidden_size=64)
    prints = [
        make(GADClassifier, backbone=CausalLM(name, lora=LORA, dtype=dtype)).backbone.fingerprint()
        for name, dtype in ((folder, "float32"), (folder, "bfloat16"), (other, "float32"))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_new_tokens_never_resize_the_vocabulary(tmp_path: Path) -> None:
    gad = make(GADClassifier, backbone=CausalLM(save_model(tmp_path, "Llama"), lora=LORA))
    size = gad.backbone.vocabulary.size
    assert gad.backbone.causal_lm.get_input_embeddings().weight.shape[0] == size
    assert gad.backbone.causal_lm.get_output_embeddings().weight.shape[0] == size
    assert gad.prompt.opener_ids.tolist() == [size]


def label(classifier: GADClassifier, video: Tensor) -> Tensor:
    """For a process that did not make the classifier."""
    return classifier.detect(video).scores


@pytest.mark.slow  # a process of its own imports everything
def test_a_pickled_classifier_runs_in_a_fresh_process(tmp_path: Path) -> None:
    gad = make(GADClassifier, backbone=CausalLM(save_model(tmp_path, "Llama"), lora=LORA)).eval()
    video = random_frames(1, 6)[0]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert torch.allclose(pool.apply(label, (gad, video)), gad.detect(video).scores, atol=1e-6)
