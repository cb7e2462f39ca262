"""What weights were trained with and what they are used with: settings that change the scores are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.saving.differences import differences
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from tests.backbones.folders import llama_folder
from tests.classifiers.making import make

LORA = {"r": 4, "lora_alpha": 8}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(llama_folder(tmp_path_factory.mktemp("llama"), words=ToyActions().class_names))


@pytest.fixture(scope="module")
def saved(llama: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a run of one step."""
    path = tmp_path_factory.mktemp("run") / "one.ckpt"
    data = toy()
    trainer = runner()
    trainer.fit(classifier(llama, data), data)
    trainer.save_checkpoint(path)
    return path


def toy(**settings: Any) -> ToyActions:
    """A few frames of made data."""
    return ToyActions(**{"num_videos": 8, "batch_size": 2, "mode": "one_pass", "chunk": 16, **settings})


def runner(**settings: Any) -> Trainer:
    """A quiet trainer of one step."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    return Trainer(**{**quiet, "max_steps": 1, "limit_val_batches": 0, "enable_model_summary": False, **settings})


def classifier(llama: str, data: ToyActions, lora: dict[str, Any] | None = None, **settings: Any) -> GADClassifier:
    """Of the same shapes whatever the settings."""
    backbone = {name: settings.pop(name) for name in ("dtype", "gradient_checkpointing") if name in settings}
    return GADClassifier(
        backbone=CausalLM(llama, lora={**LORA, **(lora or {})}, **backbone), schema=data.schema, **settings
    )


CHANGED: dict[str, tuple[Callable[[str], tuple[GADClassifier, ToyActions]], str]] = {
    "scaling": (
        lambda llama: (classifier(llama, toy(), lora={"lora_alpha": 80}), toy()),
        r"lora\.lora_alpha is 8 .* 80",
    ),
    "rank scaling": (lambda llama: (classifier(llama, toy(), lora={"use_rslora": True}), toy()), r"use_rslora is None"),
    "prompt": (
        lambda llama: (classifier(llama, toy(), prompt=Prompt(question="What is stirred?")), toy()),
        r"prompt\.question is 'What is the action in the last frame\?' .* 'What is stirred\?' here",
    ),
    "window": (
        lambda llama: (classifier(llama, toy(short_memory=5)), toy(short_memory=5)),
        r"windows\.short is \d+ in the checkpoint and 5 here",
    ),
    "mode": (lambda llama: (classifier(llama, toy(mode="window")), toy(mode="window")), r"'one_pass' .* 'window' here"),
}


@pytest.mark.parametrize("what", CHANGED)
@pytest.mark.parametrize("how", ["test", "validate", "predict"])
def test_other_settings_of_the_same_shapes_are_refused_with_both_values(
    what: str, how: str, llama: str, saved: Path
) -> None:
    make_changed, message = CHANGED[what]
    changed, data = make_changed(llama)
    with pytest.raises(CheckpointError, match=rf"trained with other settings: .*{message}.*\n.*--other_settings=true"):
        getattr(runner(), how)(changed, data, ckpt_path=saved)


def test_whoever_means_other_settings_gets_them_with_a_warning(llama: str, saved: Path) -> None:
    changed, data = CHANGED["scaling"][0](llama)
    changed.other_settings = True
    with pytest.warns(UserWarning, match=r"lora_alpha is 8 in the checkpoint and 80 here"):
        runner().test(changed, data, ckpt_path=saved, verbose=False)


def test_what_only_training_or_speed_depends_on_passes(llama: str, saved: Path) -> None:
    same = classifier(
        llama,
        toy(),
        lora={"lora_dropout": 0.5},
        background_weight=0.3,
        generation_weight=0.1,
        schedule="constant",
        gradient_checkpointing=True,
        prompt=Prompt(),
    )
    runner().test(same, toy(), ckpt_path=saved, verbose=False)


def test_another_number_format_is_said_and_not_refused(llama: str, saved: Path) -> None:
    with pytest.warns(UserWarning, match=r"backbone\.dtype is 'float32' in the checkpoint and 'bfloat16' here"):
        runner().test(classifier(llama, toy(), dtype="bfloat16"), toy(), ckpt_path=saved, verbose=False)


@pytest.mark.parametrize("what", ["scaling", "prompt", "window"])
def test_weights_begin_from_the_same_settings_or_with_the_users_word(what: str, llama: str, saved: Path) -> None:
    make_changed, message = CHANGED[what]
    changed, _ = make_changed(llama)
    with pytest.raises(CheckpointError, match=message):
        changed.init_from(saved)
    with pytest.warns(UserWarning, match=message):
        assert changed.init_from(saved, other_settings=True).weights > 0


def test_a_part_that_none_stands_for_is_that_part() -> None:
    silent, named = make(GenerativeClassifier).spec(), make(GenerativeClassifier, readout=TrieReadout()).spec()
    assert list(differences(silent, named)) == []
    found = list(differences(silent, make(GenerativeClassifier, readout=NearestReadout()).spec()))
    assert [str(each) for each in found] == [
        "readout is 'gad_lightning.TrieReadout' in the checkpoint and 'gad_lightning.NearestReadout' here"
    ]


def test_an_argument_that_an_earlier_version_had_not_is_its_default() -> None:
    stored = {"class_path": "gad_lightning.Prompt", "init_args": {"question": "What?"}}
    same = Prompt(question="What?").spec()
    assert list(differences(stored, same)) == []
    assert [found.name for found in differences(stored, Prompt(question="What?", separator=",").spec())] == [
        "separator"
    ]
