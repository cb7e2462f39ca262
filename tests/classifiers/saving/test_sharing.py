"""Classifiers in folders and on a hub, their cards, and classifiers that begin from another's weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.saving.model_card import CardFacts, model_card
from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.schema import LabelSet, Task
from tests.backbones.folders import llama_folder
from tests.backbones.small_hub import Hub, small_hub
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
FACTS = CardFacts(
    data="my kitchen",
    data_license="CC BY 4.0",
    intended_use="demonstrations",
    results={"stir": {"F1": 0.5}},
    measured_on="my test split",
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama as a user downloads it."""
    return llama_folder(tmp_path_factory.mktemp("llama"))


def trained(kind: type[Classifier], llama: Path | None, **arguments: Any) -> Classifier:
    """A classifier whose every trained weight has moved."""
    backbone = arguments.pop("backbone", None) or {}
    own = CausalLM(str(llama), **{"lora": LORA, **backbone}) if llama else TinyBackbone(hidden_size=32)
    made = make(kind, backbone=own, **arguments)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in made.trained_state().values():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return made.eval()


def with_classes(*names: str) -> Any:
    """The toy schema with other classes."""
    return schema()._replace(tasks=(Task("action", LabelSet(names, 0)),))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (DiscriminativeClassifier, {"head": VocabularyHead}),
        (GADClassifier, {"backbone": {"lora_on_head": True}}),
        (GenerativeClassifier, {"labels": SingleTokenLabels(), "backbone": {"quantization": "nf4"}}),
    ],
    ids=["disc", "gad", "gen"],
)
def test_a_folder_gives_the_same_scores(
    kind: type[Classifier], arguments: dict[str, Any], llama: Path, tmp_path: Path
) -> None:
    classifier = trained(kind, llama, **arguments)
    folder = classifier.save_pretrained(tmp_path / "shared")
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "adapter_config.json", "adapter_model.safetensors", "classifier.safetensors", "gad_lightning.json",
    }  # fmt: skip
    again = Classifier.from_pretrained(folder)
    assert type(again) is kind
    assert torch.equal(again(random_frames(3, 8)), classifier(random_frames(3, 8)))
    assert again.spec() == classifier.spec()


def test_a_decoder_trained_whole_is_shared_too(tmp_path: Path) -> None:
    classifier = trained(GADClassifier, None)
    classifier.save_pretrained(tmp_path)
    classifier.save_pretrained(tmp_path)  # over the first
    again = GADClassifier.from_pretrained(tmp_path)
    assert torch.equal(again(random_frames(3, 8)), classifier(random_frames(3, 8)))
    assert not (tmp_path / "adapter_config.json").exists()


@pytest.mark.parametrize("lora_on_head", [False, True])
def test_peft_alone_reads_the_lora(lora_on_head: bool, llama: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    classifier = trained(GADClassifier, llama, backbone={"lora_on_head": lora_on_head})
    classifier.save_pretrained(tmp_path)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), str(tmp_path)).eval()
    ids = torch.tensor([[1, 5, 9, 7]])
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, classifier.backbone.causal_lm(ids).logits, atol=1e-5)
    about = json.loads((tmp_path / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == str(llama)


def test_another_class_is_refused(llama: Path, tmp_path: Path) -> None:
    trained(GenerativeClassifier, llama).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="holds a GenerativeClassifier, not a GADClassifier"):
        GADClassifier.from_pretrained(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"there is no gad_lightning\.json"):
        GADClassifier.from_pretrained(tmp_path)
    folder = trained(GADClassifier, None).save_pretrained(tmp_path / "x")
    weights = folder / "classifier.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"classifier\.safetensors is damaged"):
        GADClassifier.from_pretrained(folder)
    weights.unlink()
    with pytest.raises(MissingDataError, match=r"no .*classifier\.safetensors"):
        GADClassifier.from_pretrained(folder)
    (folder / "gad_lightning.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"gad_lightning\.json is damaged"):
        GADClassifier.from_pretrained(folder)


@pytest.mark.parametrize("text", ["[]", "[" * 200_000, '{"adapter": []}', '{"adapter": null}', "1" * 10_000])
def test_a_description_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "gad_lightning.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"gad_lightning\.json is damaged"):
        GADClassifier.from_pretrained(tmp_path)


def test_a_description_that_names_other_classes_is_refused(tmp_path: Path) -> None:
    folder = trained(GADClassifier, None).save_pretrained(tmp_path)
    about = json.loads((folder / "gad_lightning.json").read_text())
    about.pop("digest")  # whoever means harm does not leave it there
    about["spec"]["init_args"]["backbone"] = {"class_path": "os.system", "init_args": {"command": "true"}}
    (folder / "gad_lightning.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match=r"names os\.system, and only classes of gad_lightning"):
        GADClassifier.from_pretrained(folder)


def test_the_card_says_base_license_classes_and_use(llama: Path) -> None:
    classifier = trained(GADClassifier, llama)
    card = model_card(classifier, FACTS)
    for line in ("my kitchen", "CC BY 4.0", "demonstrations", "| class | F1 |", "| stir | 0.5 |", "| add salt | - |"):
        assert line in card
    assert "license not known here" in card
    classifier.backbone.language_model, classifier.backbone.commit = "meta-llama/Llama-3.2-1B-Instruct", "abc"
    card = model_card(classifier, FACTS)
    for line in ('license: "llama3.2"', "revision `abc`", 'show "Built with Llama"', "Acceptable Use Policy"):
        assert line in card
    with pytest.raises(SettingError, match="result of 'fry', which is no class"):
        model_card(classifier, FACTS._replace(results={"fry": {"F1": 1.0}}))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, for the client of this process."""
    with small_hub(tmp_path / "hub") as running:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", running.address)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        yield running


def test_push_writes_a_folder_that_can_be_read(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = trained(GADClassifier, None)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    assert classifier.push_to_hub("someone/kitchen", FACTS).startswith(hub.address)
    assert hub.private
    again = GADClassifier.from_pretrained(hub.root / "someone" / "kitchen")
    assert torch.equal(again(random_frames(3, 8)), classifier(random_frames(3, 8)))


def test_push_needs_facts_and_a_log_in(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = trained(GADClassifier, None)
    with pytest.raises(SettingError, match="The model card has no data_license"):
        classifier.push_to_hub("someone/kitchen", CardFacts())
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/none")
    with pytest.raises(SettingError, match="log in with `hf auth login`"):
        classifier.push_to_hub("someone/kitchen", FACTS)


def rows_of(classifier: Classifier, weight: str) -> dict[str, Tensor]:
    """Rows of a head's weight by class name."""
    names = classifier.schema.tasks[0].labels.names
    return dict(zip(names, classifier.trained_state()[weight], strict=True))


@pytest.mark.parametrize("source", ["folder", "file"])
def test_init_from_keeps_lora_and_connector_and_copies_rows_by_class_name(
    source: str, llama: Path, tmp_path: Path
) -> None:
    old = trained(GADClassifier, llama)
    if source == "folder":
        path = old.save_pretrained(tmp_path / "old")
    else:
        content: dict[str, Any] = {}
        old.on_save_checkpoint(content)
        torch.save(content, path := tmp_path / "old.ckpt")
    new = make(
        GADClassifier,
        seed=9,
        schema=with_classes("background", "fry", "stir", "add salt"),
        backbone=CausalLM(str(llama), lora=LORA),
    )
    before = rows_of(new, "heads.0.project.weight")["fry"].clone()
    took = new.init_from(path)
    assert took.kept == ("background", "stir", "add salt")
    assert took.new == ("fry",)
    assert not took.fresh
    assert str(took).endswith("3 classes, new: fry")
    here, there = new.trained_state(), old.trained_state()
    assert all(torch.equal(here[name], there[name]) for name in here if name.startswith("backbone."))
    for part in ("heads.0.project.weight", "heads.0.project.bias"):
        mine, theirs = rows_of(new, part), rows_of(old, part)
        assert all(torch.equal(mine[name], theirs[name]) for name in took.kept)
    assert torch.equal(rows_of(new, "heads.0.project.weight")["fry"], before)


def test_init_from_with_the_same_classes_gives_the_same_scores(llama: Path, tmp_path: Path) -> None:
    old = trained(GADClassifier, llama)
    old.save_pretrained(tmp_path)
    new = make(GADClassifier, seed=9, backbone=CausalLM(str(llama), lora=LORA)).eval()
    assert not torch.equal(new(random_frames(2, 8)), old(random_frames(2, 8)))
    new.init_from(tmp_path)
    assert torch.equal(new(random_frames(2, 8)), old(random_frames(2, 8)))


def test_init_from_finds_label_tokens_by_name(llama: Path, tmp_path: Path) -> None:
    old = trained(GenerativeClassifier, llama, labels=SingleTokenLabels())
    old.save_pretrained(tmp_path)
    new = make(
        GenerativeClassifier,
        seed=9,
        labels=SingleTokenLabels(),
        schema=with_classes("stir", "fry", *NAMES[:2]),
        backbone=CausalLM(str(llama), lora=LORA),
    )
    new.init_from(tmp_path)
    for side in ("input", "output"):
        rows = [
            dict(
                zip(
                    (one.backbone.new_tokens.names[row] for row in one.backbone.new_tokens.written),
                    getattr(one.backbone.new_tokens, side)[-len(one.backbone.new_tokens.written) :],
                    strict=True,
                )
            )
            for one in (old, new)
        ]
        for name in ("<stir>", "<background>", "<add sugar>"):
            assert torch.equal(rows[0][name], rows[1][name])


@pytest.mark.parametrize(
    ("backbone", "features", "message"),
    [
        ({"lora": {**LORA, "r": 8}}, schema().features, r"backbone\.lora\.r is 4 in the checkpoint and 8 here"),
        ({}, schema().features._replace(encoder="other"), "features of the encoder 'test'"),
    ],
)
def test_init_from_refuses_what_does_not_fit(
    backbone: dict[str, Any], features: Any, message: str, llama: Path, tmp_path: Path
) -> None:
    trained(GADClassifier, llama).save_pretrained(tmp_path)
    new = make(
        GADClassifier,
        schema=schema()._replace(features=features),
        backbone=CausalLM(str(llama), **{"lora": LORA, **backbone}),
    )
    with pytest.raises(CheckpointError, match=message):
        new.init_from(tmp_path)


def test_init_from_refuses_another_base(llama: Path, tmp_path: Path) -> None:
    trained(GADClassifier, llama).save_pretrained(tmp_path / "old")
    other = llama_folder(tmp_path / "other", num_hidden_layers=1)
    with pytest.raises(CheckpointError, match="was trained on another base model"):
        make(GADClassifier, backbone=CausalLM(str(other), lora=LORA)).init_from(tmp_path / "old")


def test_training_goes_on_after_init_from(llama: Path, tmp_path: Path) -> None:
    trained(GADClassifier, llama).save_pretrained(tmp_path)
    new = make(GADClassifier, seed=9, backbone=CausalLM(str(llama), lora=LORA))
    new.init_from(tmp_path)
    losses = new.losses(batch(random_frames(1, 8), [[7]], torch.tensor([1])))
    torch.stack([new.average(loss) for loss in losses.values()]).sum().backward()
    assert all(weight.grad is not None for weight in new.trained_state().values())
