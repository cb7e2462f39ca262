"""Language models in GGUF files: the weights of the file, and everything else as for a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType
from transformers import AutoTokenizer

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tokenizer_alone import vocabulary_of
from gad_lightning.backbones.weights.gguf import gguf_file
from gad_lightning.backbones.weights.hub import read_model, snapshot
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import CheckpointError, DataError, MissingDataError, SettingError
from tests.backbones.ggufs import small_llama, write_gguf
from tests.classifiers.making import NAMES, make, random_frames

LORA = {"r": 4, "lora_alpha": 8}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights as ``llama.gguf`` and as the folder ``llama``, whose tokenizer is the file's."""
    root, model = tmp_path_factory.mktemp("gguf"), small_llama()
    file = write_gguf(model, root / "llama.gguf")
    model.save_pretrained(root / "llama")
    AutoTokenizer.from_pretrained(root, gguf_file=file.name).save_pretrained(root / "llama")
    return root


def classifier(model: Path, **arguments: object) -> Classifier:
    """A discriminative classifier on a language model."""
    return make(DiscriminativeClassifier, backbone=CausalLM(str(model), lora=LORA), **arguments).eval()


def test_weights_stored_as_float32_are_exactly_those_of_the_folder(home: Path) -> None:
    (file, tokenizer), (folder, _) = (
        read_model(home / name, "AutoModelForCausalLM", torch.float32) for name in ("llama.gguf", "llama")
    )
    wanted = folder.state_dict()
    assert {name: weight.shape for name, weight in file.state_dict().items()} == {n: w.shape for n, w in wanted.items()}
    assert all(torch.equal(weight, wanted[name]) for name, weight in file.state_dict().items())
    assert tokenizer.decode(tokenizer.encode("add sugar", add_special_tokens=False)) == "add sugar"


def test_a_classifier_on_the_file_scores_exactly_as_one_on_the_folder(home: Path) -> None:
    frames = random_frames(2, 5)
    file, folder = (classifier(home / name) for name in ("llama.gguf", "llama"))
    assert torch.equal(file(frames), folder(frames))
    assert file.backbone.fingerprint() == folder.backbone.fingerprint() != ""


@pytest.mark.parametrize(("kind", "limit"), [(GGMLQuantizationType.Q8_0, 0.006), (GGMLQuantizationType.Q4_1, 0.1)])
def test_quantized_weights_become_plain_ones_near_the_original(
    kind: GGMLQuantizationType, limit: float, home: Path, tmp_path: Path
) -> None:
    file = write_gguf(small_llama(), tmp_path / "small.gguf", kind)
    (model, _), (wanted, _) = (
        read_model(path, "AutoModelForCausalLM", torch.float32) for path in (file, home / "llama")
    )
    for name, weight in wanted.state_dict().items():
        read = model.state_dict()[name]
        assert read.dtype == torch.float32
        assert float((read - weight).norm() / weight.norm()) < limit, name
    assert not torch.equal(model.get_input_embeddings().weight, wanted.get_input_embeddings().weight)
    assert not hasattr(model.config, "quantization_config")  # nothing later takes them for quantized


def test_a_folder_that_holds_one_file_is_that_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").symlink_to(home / "llama.gguf")
    assert gguf_file(tmp_path) == tmp_path / "model.gguf"
    assert snapshot(str(tmp_path)) == tmp_path
    frames = random_frames(1, 3)
    assert torch.equal(classifier(tmp_path)(frames), classifier(home / "llama.gguf")(frames))
    (tmp_path / "other.gguf").symlink_to(home / "llama.gguf")
    with pytest.raises(SettingError, match=r"2 GGUF files: model\.gguf, other\.gguf"):
        classifier(tmp_path)
    assert gguf_file(home / "llama") is None


def test_bfloat16_and_the_tokenizer_alone(home: Path) -> None:
    model, _ = read_model(home / "llama.gguf", "AutoModelForCausalLM", torch.bfloat16)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    names = [vocabulary_of(CausalLM(str(home / name)), NAMES).encode("stir sugar") for name in ("llama.gguf", "llama")]
    assert names[0] == names[1] != []


def test_a_checkpoint_is_made_again_and_another_file_is_refused(home: Path, tmp_path: Path) -> None:
    from lightning import Trainer

    first, frames = classifier(home / "llama.gguf"), random_frames(1, 4)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(first)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    again = Classifier.load_from_checkpoint(tmp_path / "one.ckpt")
    assert torch.equal(again(frames), first(frames))
    other = write_gguf(small_llama(seed=1), tmp_path / "other.gguf")
    content = torch.load(tmp_path / "one.ckpt", weights_only=True)
    with pytest.raises(CheckpointError, match="another base model"):
        classifier(other).on_load_checkpoint(content)
    warm = classifier(home / "llama")
    warm.init_from(tmp_path / "one.ckpt")  # the same weights, from a folder
    assert torch.equal(warm(frames), first(frames))


def test_an_architecture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = write_gguf(small_llama(), tmp_path / "odd.gguf", architecture="rwkv6")
    with pytest.raises(SettingError, match=r"odd\.gguf as a language model: .*rwkv6(.|\n)*Hugging Face folder"):
        classifier(file)


def test_a_missing_reader_package_is_named_with_its_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(SettingError, match=r"'gguf' is needed to read llama\.gguf(.|\n)*gad-lightning\[gguf\]"):
        classifier(home / "llama.gguf")


def test_a_damaged_or_missing_file_is_named(home: Path, tmp_path: Path) -> None:
    whole = (home / "llama.gguf").read_bytes()
    (tmp_path / "text.gguf").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"text\.gguf is no GGUF file: it begins with b'<htm'"):
        classifier(tmp_path / "text.gguf")
    for length in (100, 3000, len(whole) - 5000):
        (tmp_path / "cut.gguf").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.gguf cannot be read(.|\n)*fetch it again"):
            classifier(tmp_path / "cut.gguf")
    with pytest.raises(MissingDataError, match=r"There is no file .*none\.gguf"):
        classifier(tmp_path / "none.gguf")
