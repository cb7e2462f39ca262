"""Labels of one or two shared tokens, through training, readouts, checkpoints and other classes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.compressed import CompressedLabels
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.readouts.base import Readout
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.schema import LabelSet, Task
from gad_lightning.training.exact_resume import ExactResume
from tests.backbones.test_text_tower import encoder as encoder
from tests.classifiers.making import batch, make, random_frames, schema

LABELS = torch.tensor([1, 2, 3, 4, 0, 1])


def learned() -> Classifier:
    """Knows six frames by heart."""
    made = make(GenerativeClassifier, labels=CompressedLabels(), layers=1)
    optimizer = torch.optim.AdamW([weight for weight in made.parameters() if weight.requires_grad], lr=1e-2)
    given = batch(random_frames(2, 8), [[1, 4, 7], [0, 2, 6]], LABELS)
    for _ in range(40):
        (loss,) = made.losses(given).values()
        optimizer.zero_grad()
        (loss.sum / loss.count).backward()
        optimizer.step()
    return made.eval()


def test_all_readouts_read_what_was_learned() -> None:
    made = learned()
    given = batch(random_frames(2, 8), [[1, 4, 7], [0, 2, 6]], LABELS)
    readouts: list[Readout] = [TrieReadout(), NearestReadout(4), LikelihoodReadout()]
    for readout in readouts:
        made.readout = readout  # type: ignore[assignment]  # a generative one has it
        assert made.scores(given).label.tolist() == LABELS.tolist(), type(readout).__name__


def test_embeddings_stay_and_projections_learn() -> None:
    before, after = make(GenerativeClassifier, labels=CompressedLabels(), layers=1), learned()
    one, other = before.backbone.new_tokens.meaning, after.backbone.new_tokens.meaning
    assert one is not None
    assert other is not None
    assert torch.equal(one.vectors, other.vectors)
    assert not torch.equal(one.to_input, other.to_input)
    assert not torch.equal(one.to_output, other.to_output)
    assert before.backbone.new_tokens.names == ["background", "add", "sugar", "salt", "stir"]


def test_a_checkpoint_needs_no_encoder(encoder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(encoder, tmp_path / "encoder"))
    made = make(GenerativeClassifier, labels=CompressedLabels(tower=str(folder))).eval()
    made.save_pretrained(tmp_path / "saved")
    shutil.rmtree(folder)
    again = Classifier.from_pretrained(tmp_path / "saved")
    assert torch.equal(again(random_frames(2, 8)), made(random_frames(2, 8)))
    assert again.spec() == made.spec()


@pytest.mark.parametrize("before", [CompressedLabels, SingleTokenLabels])
def test_another_run_takes_over_what_fits(before: Any, tmp_path: Path) -> None:
    old = make(GenerativeClassifier, labels=before(), backbone=TinyBackbone(32, lora={"r": 4}))
    old.save_pretrained(tmp_path)
    labels = LabelSet(("background", "add sugar", "fry egg"), 0)
    new = make(
        GenerativeClassifier,
        seed=3,
        labels=CompressedLabels(),
        schema=schema()._replace(tasks=(Task("action", labels),)),
        backbone=TinyBackbone(32, lora={"r": 4}),
    )
    mine, theirs = new.backbone.new_tokens.meaning, old.backbone.new_tokens.meaning
    assert mine is not None
    vectors = mine.vectors.clone()
    started = new.init_from(tmp_path, other_settings=True)
    assert torch.equal(mine.vectors, vectors)
    assert "backbone.new_tokens.meaning.vectors" not in started.fresh
    if theirs is None:
        assert "backbone.new_tokens.meaning.to_input" in started.fresh
    else:
        assert torch.equal(mine.to_input, theirs.to_input)


def run(folder: Path, epochs: int, resume: Path | None = None) -> GADClassifier:
    """GAD on toys, with a checkpoint at its end."""
    torch.manual_seed(0)
    data = ToyActions(num_videos=8, mode="one_pass")
    made = GADClassifier(
        schema=data.schema,
        backbone=TinyBackbone(hidden_size=32, num_layers=1),
        labels=CompressedLabels(),
        context=PreviousActions(),
        schedule="constant",
    )
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[ExactResume()],
        default_root_dir=folder,
    )
    trainer.fit(made, data, ckpt_path=None if resume is None else str(resume), weights_only=False)
    trainer.save_checkpoint(folder / f"{epochs}.ckpt")
    return made


def test_gad_goes_on_from_a_checkpoint_to_the_bit(tmp_path: Path) -> None:
    run(tmp_path, 1)
    rest, whole = run(tmp_path, 2, tmp_path / "1.ckpt"), run(tmp_path, 2)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, rest.state_dict()[name]), name


def test_names_without_a_shared_word_are_single_tokens() -> None:
    labels = LabelSet(("background", "wave", "clap hands"), 0)
    made = make(
        GenerativeClassifier, labels=CompressedLabels(), schema=schema()._replace(tasks=(Task("action", labels),))
    )
    assert made.backbone.new_tokens.names == ["background", "wave", "clap hands"]
