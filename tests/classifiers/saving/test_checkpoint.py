"""Checkpoints are small, rebuild the classifier alone, and are refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.saving.checkpoint import KEY
from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.compressed import CompressedLabels
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.schema import LabelSet, Task
from gad_lightning.types import Batch
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
MAKES = pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        pytest.param(DiscriminativeClassifier, {"head": VocabularyHead}, id="disc"),
        pytest.param(GADClassifier, {"context": PreviousActions(2), "answer_fraction": 0.5}, id="gad"),
        pytest.param(GenerativeClassifier, {"labels": SingleTokenLabels(), "readout": NearestReadout(4)}, id="gen"),
        pytest.param(GenerativeClassifier, {"labels": CompressedLabels()}, id="compressed"),
    ],
)


def save(classifier: Classifier, path: Path) -> Path:
    """Train one step with Lightning and save what it saves."""
    labels = torch.tensor([1, 2, 3])
    data: list[Batch] = [batch(random_frames(1, 8), [[1, 4, 7]], labels)]
    trainer = lightning.Trainer(
        max_steps=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=path.parent,
    )
    trainer.fit(classifier, DataLoader(data, batch_size=None))
    trainer.save_checkpoint(path)
    return path


@MAKES
@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "lora"])
def test_load_from_checkpoint_needs_nothing_else(
    kind: type[Classifier], arguments: dict[str, Any], lora: dict[str, Any] | None, tmp_path: Path
) -> None:
    classifier = make(kind, backbone=TinyBackbone(hidden_size=32, lora=lora), **arguments)
    path = save(classifier, tmp_path / "x.ckpt")
    again = kind.load_from_checkpoint(path)
    frames = random_frames(3, 8)
    assert torch.equal(again(frames), classifier.eval()(frames))
    assert again.spec() == classifier.spec()


def test_from_pretrained_takes_checkpoints_and_their_addresses(tmp_path: Path) -> None:
    path = save(make(DiscriminativeClassifier), tmp_path / "best.ckpt")
    for source in (path, str(path), path.as_uri()):
        assert type(Classifier.from_pretrained(source)) is DiscriminativeClassifier
    with pytest.raises(MissingDataError, match=r"No checkpoint at .*nothing\.ckpt"):
        Classifier.from_pretrained(tmp_path / "nothing.ckpt")


def test_only_trained_weights_are_stored(tmp_path: Path) -> None:
    backbone = TinyBackbone(hidden_size=128, num_layers=4, lora=LORA)
    path = save(make(GADClassifier, backbone=backbone), tmp_path / "x.ckpt")
    stored = torch.load(path, weights_only=True)
    trained = sum(weight.nbytes for weight in stored["state_dict"].values())
    del stored["optimizer_states"]
    torch.save(stored, tmp_path / "without.ckpt")
    assert not [name for name in stored["state_dict"] if "base_layer" in name or "embed_tokens" in name]
    # names and the spec take some kilobytes, whatever the model's size
    assert (tmp_path / "without.ckpt").stat().st_size <= 1.1 * trained + 64_000


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"head": VocabularyHead}, "lacks 1 of .* and has 2 others"),
        ({"backbone": TinyBackbone(hidden_size=32, lora=LORA, seed=1)}, "another base model"),
        ({"backbone": TinyBackbone(hidden_size=32, lora={**LORA, "r": 8})}, "lacks .* trained weights"),
        (
            {"schema": schema()._replace(tasks=(Task("action", LabelSet((*NAMES[:3], "stir", "stir sugar"), 0)),))},
            "Class 3 is 'stir sugar' in the checkpoint and 'stir' here",
        ),
        (
            {"schema": schema()._replace(features=schema().features._replace(fps=8.0))},
            "trained on other features",
        ),
    ],
    ids=["head", "base", "rank", "order", "fps"],
)
def test_another_model_is_refused(other: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = save(make(DiscriminativeClassifier, backbone=TinyBackbone(hidden_size=32, lora=LORA)), tmp_path / "x.ckpt")
    here = make(DiscriminativeClassifier, **{"backbone": TinyBackbone(hidden_size=32, lora=LORA), **other})
    with pytest.raises(CheckpointError, match=message):
        here.on_load_checkpoint(torch.load(path, weights_only=True))


def test_a_checkpoint_keeps_its_statistics_where_those_of_the_data_differ(tmp_path: Path) -> None:
    features = schema().features
    old, new = (features._replace(mean=(m,) * features.width, std=(s,) * features.width) for m, s in ((1, 2), (0, 1)))
    trained = make(DiscriminativeClassifier, schema=schema()._replace(features=old))
    path = save(trained, tmp_path / "x.ckpt")
    here = make(DiscriminativeClassifier, schema=schema()._replace(features=new))
    content = torch.load(path, weights_only=True)
    with pytest.warns(UserWarning, match="The checkpoint's mean and spread of the features are kept"):
        here.on_load_checkpoint(content)
    here.load_state_dict(content["state_dict"], strict=False)
    frames = random_frames(2, 8)
    assert torch.equal(here.eval()(frames), trained.eval()(frames))
    assert here.spec() == trained.spec()


def test_a_checkpoint_of_another_class_is_refused(tmp_path: Path) -> None:
    path = save(make(GenerativeClassifier), tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="holds a GenerativeClassifier, not a GADClassifier"):
        GADClassifier.load_from_checkpoint(path)


def test_missing_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="No checkpoint at"):
        GADClassifier.load_from_checkpoint(tmp_path / "none.ckpt")
    path = save(make(GADClassifier), tmp_path / "x.ckpt")
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(CheckpointError, match="damaged"):
        GADClassifier.load_from_checkpoint(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(CheckpointError, match="was not saved by this library"):
        GADClassifier.load_from_checkpoint(path)


@pytest.mark.parametrize("source", [None, 3, b"x.ckpt"])
def test_what_is_no_path_is_refused(source: Any) -> None:
    with pytest.raises(SettingError, match=rf"path or URL, got a {type(source).__name__}\..*\n.*\.ckpt file"):
        GADClassifier.load_from_checkpoint(source)


def nested(depth: int) -> list[Any]:
    """A list in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("spec", "class_path"), 7, "describes a part by \"{'class_path': 7, .*without class and arguments"),
        (("spec", "class_path"), None, "describes a part by .*without class and arguments"),
        (("spec",), {}, "describes a part by '{}', without class and arguments"),
        (
            ("schema",),
            {"class_path": "gad_lightning.DataSchema"},
            "describes a part by .*, without class and arguments",
        ),
        (("rejection",), {}, r"rejection has a NoneType as its score, and \[\]"),
        (("spec", "init_args"), nested(200), "nested more than 100 deep"),
        (("optimizer",), nested(200), "nested more than 100 deep"),
        (("spec", "init_args", "backbone", "init_args", "num_layers"), True, "TinyBackbone.num_layers is True"),
        (("rejection",), 7, "its rejection is no dict"),
        (("decisions",), "x", "its decisions is no dict"),
        (("added",), 7, "its added is no list"),
    ],
)
def test_a_description_that_somebody_changed_is_refused_in_one_message(
    place: tuple[str, ...], value: object, message: str
) -> None:
    classifier = make(GADClassifier)
    content: dict[str, Any] = {}
    classifier.on_save_checkpoint(content)
    part = content[KEY]
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    with pytest.raises((CheckpointError, SettingError), match=message):
        GADClassifier.made_again(content, "x.ckpt", "cpu", ["gad_lightning"])


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemError('code ran')",))


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    torch.save({"gad_lightning": Trap()}, tmp_path / "trap.ckpt")
    with pytest.raises(CheckpointError, match="could run code"):
        GADClassifier.load_from_checkpoint(tmp_path / "trap.ckpt")


def test_a_class_outside_the_allowed_packages_is_refused(tmp_path: Path) -> None:
    path = save(make(GADClassifier), tmp_path / "x.ckpt")
    content = torch.load(path, weights_only=True)
    content["gad_lightning"]["spec"]["init_args"]["backbone"]["class_path"] = "subprocess.Popen"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"names subprocess\.Popen, .*\n.*--allowed=\[subprocess\]"):
        GADClassifier.load_from_checkpoint(path)
