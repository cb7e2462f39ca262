"""What the three classifiers promise of one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.heads.linear import LinearHead
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.types import IGNORED
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames, schema

KINDS = pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier, GenerativeClassifier])


def train(classifier: Classifier, steps: int) -> None:
    """Some optimizer steps on random frames and labels, the same for every classifier."""
    optimizer = torch.optim.AdamW([w for w in classifier.parameters() if w.requires_grad], lr=1e-3)
    for step in range(steps):
        labels = torch.randint(len(NAMES), (6,), generator=torch.Generator().manual_seed(step))
        losses = classifier.losses(batch(random_frames(2, 8, step), [[1, 4, 7], [0, 2, 6]], labels))
        optimizer.zero_grad()
        torch.stack([loss.sum / loss.count for loss in losses.values()]).sum().backward()
        optimizer.step()


def test_gad_with_weight_0_equals_disc_over_30_steps() -> None:
    disc = make(DiscriminativeClassifier)
    gad = make(GADClassifier, context=PreviousActions(), generation_weight=0.0)
    assert gad.load_state_dict(disc.state_dict(), strict=True)
    train(disc, 30)
    train(gad, 30)
    frames = random_frames(2, 8, 99)
    assert torch.allclose(disc(frames), gad(frames), atol=1e-5)


def test_gad_with_weight_1_learns_something_else() -> None:
    disc, gad = make(DiscriminativeClassifier), make(GADClassifier)
    gad.load_state_dict(disc.state_dict())
    train(disc, 5)
    train(gad, 5)
    frames = random_frames(2, 8, 99)
    assert not torch.allclose(disc(frames), gad(frames), atol=1e-3)


@pytest.mark.parametrize("readout", [TrieReadout(), NearestReadout(max_tokens=1)])
def test_vocabulary_head_equals_single_token_generation_with_the_same_opener(
    readout: TrieReadout | NearestReadout,
) -> None:
    gen = make(GenerativeClassifier, labels=SingleTokenLabels(), readout=readout).eval()
    disc = make(DiscriminativeClassifier, head=VocabularyHead, prompt=Prompt(opener="\nAssistant:")).eval()
    shared = {name: weight for name, weight in gen.state_dict().items() if "new_tokens" not in name}
    disc.load_state_dict(shared, strict=False)
    rows = gen.backbone.new_tokens.output
    with torch.no_grad():
        # so that free text begins with a class: of two opposite logits one is not below the words' logits of 0
        gen.backbone.causal_lm.get_output_embeddings().weight.zero_()
        rows[1] = -rows[0]
        disc.heads[0].rows.weight.copy_(rows)
    frames = random_frames(4, 8)
    assert torch.equal(gen(frames).argmax(1), disc(frames).argmax(1))
    if isinstance(readout, TrieReadout):
        assert torch.allclose(gen(frames), disc(frames), atol=1e-5)


class Untouchable(nn.Module):
    """A language-model head that must not be computed."""

    weight = torch.zeros(1)

    def forward(self, states: Tensor) -> Tensor:
        """Fail."""
        raise AssertionError("the language model's head was computed at test")


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_prediction_touches_neither_the_language_head_nor_answer_embeddings(kind: type[Classifier]) -> None:
    classifier = make(kind)
    seen: list[Tensor] = []
    embedding = classifier.backbone.causal_lm.get_input_embeddings()
    embedding.register_forward_pre_hook(lambda _, ids: seen.append(ids[0]))
    classifier.backbone.causal_lm.set_output_embeddings(Untouchable())
    classifier.predict_step(batch(random_frames(2, 8), [[1, 4, 7], [0, 2, 6]]), 0)
    answer_ids = {token for name in NAMES for token in classifier.backbone.vocabulary.encode(f" {name}")}
    assert not answer_ids & set(torch.cat([ids.flatten() for ids in seen]).tolist())


@KINDS
def test_batch_order_batch_size_and_padding_never_change_a_score(kind: type[Classifier]) -> None:
    classifier = make(kind).eval()
    frames = random_frames(4, 9)
    counts = torch.tensor([9, 3, 1, 6])
    together = classifier(frames, counts).exp()
    order = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(classifier(frames[order], counts[order]).exp(), together[order], atol=1e-5)
    for row, count in enumerate(counts.tolist()):
        assert torch.allclose(classifier(frames[row : row + 1, :count]).exp(), together[row : row + 1], atol=1e-5)


@KINDS
def test_ignored_queries_leave_the_loss(kind: type[Classifier]) -> None:
    classifier = make(kind)
    frames, labels = random_frames(1, 8), torch.tensor([2, IGNORED, 3])
    some = classifier.losses(batch(frames, [[1, 4, 7]], labels))
    kept = classifier.losses(batch(frames, [[1, 7]], labels[[0, 2]]))
    for name in kept:
        assert some[name].count == kept[name].count == 2
        assert torch.allclose(some[name].sum, kept[name].sum, rtol=1e-4)


def test_background_weight_acts_on_background_queries_only() -> None:
    frames, labels = random_frames(1, 8), torch.tensor([0, 2])
    full = make(DiscriminativeClassifier).losses(batch(frames, [[1, 7]], labels))["classification"]
    none = make(DiscriminativeClassifier, background_weight=0.0).losses(batch(frames, [[1, 7]], labels))
    alone = make(DiscriminativeClassifier).losses(batch(frames, [[7]], labels[1:]))["classification"]
    assert torch.allclose(none["classification"].sum, alone.sum, rtol=1e-4)
    assert full.count == none["classification"].count == 2


@pytest.mark.parametrize(("mode", "answered"), [("window", 4), ("one_pass", 1)])
def test_by_default_all_windows_are_answered_and_an_eighth_of_one_pass(mode: str, answered: int) -> None:
    gad = make(GADClassifier, schema=schema(mode=mode, short=8))
    draw = torch.tensor([0.1, 0.2, 0.3, 0.9])
    losses = gad.losses(batch(random_frames(1, 8), [[1, 2, 3, 4]], torch.ones(4, dtype=torch.int64), draw))
    assert losses["generation"].count == answered


def test_only_a_share_of_the_queries_is_answered() -> None:
    gad = make(GADClassifier, answer_fraction=0.25)
    draw = torch.tensor([0.1, 0.2, 0.3, 0.9])
    losses = gad.losses(batch(random_frames(1, 8), [[1, 2, 3, 4]], torch.ones(4, dtype=torch.int64), draw))
    assert losses["generation"].count == 2
    assert losses["classification"].count == 4


@KINDS
def test_each_classifier_learns_what_frames_show(kind: type[Classifier]) -> None:
    classifier = make(kind)
    directions = torch.randn(len(NAMES), WIDTH, generator=torch.Generator().manual_seed(3)) * 2
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=3e-3)
    labels = torch.arange(len(NAMES)).repeat(4)
    frames = directions[labels][:, None, None] + 0.3 * random_frames(len(labels), 4)
    asked = [[3]] * len(labels)
    for _ in range(60):
        losses = classifier.losses(batch(frames, asked, labels))
        optimizer.zero_grad()
        torch.stack([loss.sum / loss.count for loss in losses.values()]).sum().backward()
        optimizer.step()
    assert (classifier.eval()(frames).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schema": None}, "either a schema or class_names"),
        ({"class_names": list(NAMES)}, "either a schema or class_names"),
        ({"background_weight": -1.0}, "background_weight must be at least 0, got -1"),
        ({"schema": schema(mode="one_pass", short=8, chunk=4000)}, "max_positions is 2048"),
        ({"prompt": Prompt(question={"other": "?"})}, "no question for the task 'action'"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make(GADClassifier, **arguments)


def test_frames_of_another_width_are_refused_with_both_widths() -> None:
    with pytest.raises(SettingError, match=r"\(N, D\) = \(1, 9\); this classifier was made for \(1, 6\)"):
        make(GADClassifier)(torch.zeros(1, 3, 9))


@pytest.mark.parametrize("dora", [False, True])
def test_lora_on_a_tied_head_unties_it_and_merged_equals_unmerged(dora: bool) -> None:
    lora = {"r": 4, "lora_alpha": 8, "use_dora": dora}
    backbone = TinyBackbone(hidden_size=32, lora=lora, lora_on_head=True)
    gen = make(GenerativeClassifier, backbone=backbone)
    train(gen, 3)
    gen.eval()
    frames = random_frames(3, 8)
    tokens = gen.backbone.place(gen.render(batch(frames, [[7]] * 3)))
    before = gen.backbone(tokens, frames).detach()
    logits = gen.backbone.token_logits(before[:, -1]).detach()
    ids = torch.tensor([7, 3])
    assert torch.allclose(gen.backbone.token_logits(before[:, -1], ids), logits[:, ids], atol=1e-5)
    assert backbone.merge() == 0.0
    assert torch.allclose(gen.backbone.token_logits(before[:, -1], ids), logits[:, ids], atol=1e-5)
    after = gen.backbone(tokens, frames)
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.allclose(logits, gen.backbone.token_logits(before[:, -1]), atol=1e-5)
    with pytest.raises(SettingError, match="LoRA is merged"):
        backbone.trained_state()


def test_head_factory_gets_hidden_size_and_labels() -> None:
    made: list[tuple[int, int]] = []

    def factory(hidden_size: int, labels: Any) -> LinearHead:
        made.append((hidden_size, len(labels.names)))
        return LinearHead(hidden_size, labels)

    make(DiscriminativeClassifier, head=factory)
    assert made == [(32, len(NAMES))]


def test_a_prompt_can_be_given_to_several_classifiers_and_a_backbone_to_one() -> None:
    prompt = Prompt()
    gen = make(GenerativeClassifier, prompt=prompt).eval()
    asked = batch(random_frames(2, 5), [[4], [4]])
    before = gen.scores(asked).scores
    disc = make(DiscriminativeClassifier, prompt=prompt)
    assert torch.equal(gen.scores(asked).scores, before)
    with pytest.raises(SettingError, match="part of another classifier"):
        make(GADClassifier, backbone=disc.backbone)


def test_a_validation_that_is_broken_off_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    data = ToyActions(eval_batch_size=8)
    disc = make(DiscriminativeClassifier, schema=data.schema)
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    (expected,) = Trainer(**settings).validate(disc, datamodule=data, verbose=False)

    class Fails(Callback):
        def on_validation_batch_end(self, *told: Any) -> None:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        Trainer(**settings, callbacks=[Fails()]).validate(disc, datamodule=data, verbose=False)
    torch.nn.init.normal_(disc.heads[0].project.weight)
    Trainer(**settings).validate(disc, datamodule=data, verbose=False)
    disc = make(DiscriminativeClassifier, schema=data.schema)
    assert Trainer(**settings).validate(disc, datamodule=data, verbose=False) == [expected]


def test_a_classifier_made_for_prediction_is_trained_as_one_and_a_merged_one_is_not(tmp_path: Path) -> None:
    data = ToyActions(batch_size=4)
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    disc = make(DiscriminativeClassifier, schema=data.schema, backbone=backbone).eval()
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    Trainer(**settings, max_steps=1, enable_checkpointing=False, limit_val_batches=0).fit(disc, datamodule=data)
    assert all(module.training for module in disc.backbone.modules())
    disc.backbone.merge()
    with pytest.raises(SettingError, match="train before merging"):
        Trainer(**settings, max_steps=1, enable_checkpointing=False).fit(disc, datamodule=data)
