"""Classes that are held out: of training, of all its texts, and unknown where it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer
from typing_extensions import override

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.cli import main
from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import Queries, VideoRecord, timeline
from gad_lightning.data.toy import ToyActions
from gad_lightning.data.unknown_classes import UnknownClasses, choose_unknown
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.contexts.published_previous_action import PublishedPreviousAction
from gad_lightning.rejection.energy import EnergyScore
from gad_lightning.results.predictions import read_predictions
from gad_lightning.schema import LabelSet, Task
from gad_lightning.segments import Segment
from gad_lightning.types import IGNORED

HIDDEN = ["add salt", "pour water"]
KNOWN = ("background", "add sugar", "add tea", "cut carrot", "stir soup", "stir tea")


class Told(ToyActions):
    """The toy recipes, one of which is called after a step."""

    @property
    @override
    def goals(self) -> list[str]:
        return ["pour water for tea", "make soup"]

    @override
    def records(self, split: Split) -> list[VideoRecord]:
        return ToyActions().records(split)


class Everything(AuxiliaryContext):
    """All that the contexts of this library write."""

    @override
    def context(self, query: ContextQuery) -> list[int | str]:
        parts = (PreviousActions(9), NextActions(9), PublishedPreviousAction(32), GoalContext())
        return [part for context in parts for part in context.context(query)]

    @override
    def longest(self, label: int, goal: int, comma: int) -> int:
        return 19 * (comma + label) + comma + goal


def labels_of(data: ActionDataModule, split: Split) -> np.ndarray:
    """Labels of every frame of a split."""
    return np.concatenate([laid.queries.label for laid in data.dataset(split).timelines])


def full_labels(data: ActionDataModule, split: Split) -> list[str]:
    """Names of every frame's class, as annotated."""
    classes = data.tasks[0].labels
    laid = [timeline(record, classes) for record in data.videos(split)]
    return [classes.names[label] for one in laid for label in one.queries.label]


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_no_text_of_training_names_a_class_that_is_held_out(mode: Any) -> None:
    data = Told(unknown_classes=HIDDEN, mode=mode, chunk=9, stride=1)
    backbone = TinyBackbone(hidden_size=32, num_layers=1)
    objective = WriteAnswer(context=Everything(), answer_fraction=1.0)
    classifier = DiscriminativeClassifier(schema=data.schema, backbone=backbone, objectives=[objective])
    texts, ids = [], []
    for batch in data.train_dataloader():
        answers = objective.text(batch)
        tokens = classifier.render(batch, answers)
        ids += tokens.ids[tokens.visual < 0].tolist()
        assert answers is not None
        texts += [backbone.vocabulary.decode(row[row >= 0].tolist()) for row in answers.ids]
    written, read = " | ".join(texts), backbone.vocabulary.decode(sorted(set(ids)))
    assert "add sugar, add tea" in written  # previous actions are written
    assert "make soup" in written
    for name in HIDDEN:
        assert name not in written
        assert not set(name.split()) - {"add"} & set(read.split())  # nor is a word of theirs that no other class has
    assert not {"salt", "water"} & set(backbone.vocabulary.decode(range(backbone.vocabulary.size)).split())


def test_frames_of_it_are_ignored_in_training_and_unknown_elsewhere() -> None:
    data, whole = ToyActions(unknown_classes=HIDDEN), ToyActions()
    assert data.schema.tasks[0].labels == LabelSet(KNOWN, background=0)
    assert data.schema.unknown == tuple(HIDDEN)
    for split, instead in (("train", IGNORED), ("val", len(KNOWN)), ("test", len(KNOWN))):
        names = full_labels(whole, split)
        expected = [instead if name in HIDDEN else KNOWN.index(name) for name in names]
        assert labels_of(data, split).tolist() == expected
        assert set(HIDDEN) & set(names)
    assert all(laid.segments[:, 0].max() < len(KNOWN) for laid in data.dataset("val").timelines)


def test_no_training_window_asks_about_it() -> None:
    data = ToyActions(unknown_classes=HIDDEN, stride=1)
    batches = list(data.train_dataloader())
    assert all(int(batch.label.min()) >= 0 for batch in batches)
    assert all(int(batch.segments[..., 0].max()) < len(KNOWN) for batch in batches)


def test_a_number_and_a_share_are_drawn_alike_each_time() -> None:
    drawn = ToyActions(unknown_classes=2, unknown_seed=3).schema.unknown
    assert len(drawn) == 2
    assert drawn == ToyActions(unknown_classes=2 / 7, unknown_seed=3).schema.unknown
    assert drawn == ToyActions(unknown_classes=list(drawn), seed=9).schema.unknown
    assert len({ToyActions(unknown_classes=2, unknown_seed=seed).schema.unknown for seed in range(8)}) > 1
    assert "background" not in {name for seed in range(9) for name in ToyActions(unknown_classes=6).schema.unknown}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["pour watr"], r"has 'pour watr', which is no class of the data\.\n.*did you mean 'pour water'"),
        (["background"], r"has 'background', which is no action\.\n.*leave it out"),
        (7, r"is 7, and there are 7 actions.*\n.*whole number from 1 to 6, or as a share"),
        (0, r"is 0, and there are 7 actions"),
        (1.5, r"is 1\.5, and there are 7 actions.*\n.*a share above 0 and up to 0\.92"),
        (0.99, r"is 0\.99, and there are 7 actions.*\n.*a share above 0 and up to 0\.92"),
        (float("nan"), r"is nan, and there are 7 actions"),
        (
            ["add salt", "add sugar", "add tea", "cut carrot", "pour water", "stir soup", "stir tea"],
            "holds all 7 actions",
        ),
        ("add salt", r"is the text 'add salt', and no list\.\n.*a list of names: \['add salt'\]"),
        ("", r"is the text '', and no list\.\n.*a list of names"),
    ],
)
def test_what_cannot_be_held_out_is_refused_by_name(wanted: Any, message: str) -> None:
    with pytest.raises(SettingError, match=rf"data\.unknown_classes {message}"):
        _ = ToyActions(unknown_classes=wanted).schema


def test_the_largest_share_that_is_named_leaves_one_action() -> None:
    assert len(ToyActions(unknown_classes=0.92).schema.unknown) == 6
    alone = (Task("action", LabelSet(("rest", "stir"), background=0)),)
    for wanted in (1, 0.5):
        with pytest.raises(SettingError, match="there is no second action to train on"):
            choose_unknown(alone, wanted, 0)


def test_of_several_labels_a_frame_none_says_unknown() -> None:
    with pytest.raises(SettingError, match=r"'add salt'\], and with data\.multi_label a frame has no label"):
        _ = ToyActions(unknown_classes=["add salt"], multi_label=True).schema


def test_classes_that_were_added_count_behind_the_others_in_their_order() -> None:
    data = ToyActions(unknown_classes=["stir tea", *HIDDEN], added_classes=["pour water", "add salt"])
    size = len(data.schema.tasks[0].labels.names)
    assert size == len(KNOWN) - 1
    place = {"pour water": size, "add salt": size + 1, "stir tea": size + 2}
    for name, label in zip(full_labels(ToyActions(), "test"), labels_of(data, "test"), strict=True):
        assert label == place.get(name, label)
        assert (label < size) == (name not in place)
    assert set(labels_of(data, "train")) <= {IGNORED, *range(size)}
    assert ToyActions(added_classes=HIDDEN).schema.unknown == ()


def test_columns_of_several_labels_move_with_the_classes_that_were_added() -> None:
    data = ToyActions(multi_label=True, added_classes=["add salt"])
    before = np.concatenate([laid.queries.label for laid in ToyActions(multi_label=True).dataset("test").timelines])
    names = ToyActions().class_names
    order = [names.index(name) for name in (*data.schema.tasks[0].labels.names, "add salt")]
    assert np.array_equal(labels_of(data, "test"), before[:, order])
    train = np.concatenate([laid.queries.label for laid in ToyActions(multi_label=True).dataset("train").timelines])
    hidden = train[:, names.index("add salt")] > 0
    assert (labels_of(data, "train")[hidden] == IGNORED).all()
    assert (labels_of(data, "train")[~hidden] >= 0).all()


class TwoTasks(ActionDataModule):
    """A step and its task are asked once a clip; ``pour`` is a step and a task."""

    @property
    @override
    def class_names(self) -> Sequence[str]:
        return ["pour", "stir", "wait"]

    @property
    @override
    def tasks(self) -> tuple[Task, ...]:
        kinds = (("step", ("pour", "stir", "wait")), ("task", ("cook", "pour", "rest")))
        return tuple(Task(name, LabelSet(names), per_frame=False) for name, names in kinds)

    @override
    def records(self, split: Split) -> list[VideoRecord]:
        clip = np.zeros(6, dtype=np.int64)
        queries = Queries(clip + 3, np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1]), clip, clip)
        frames = ArrayFrames(np.zeros((4, 2), dtype=np.float32), 1.0)
        return [VideoRecord(f"{split}{number}", frames, [Segment(1, 0, 4)], queries=queries) for number in range(2)]


def test_every_task_has_unknown_labels_of_its_own() -> None:
    data = TwoTasks(unknown_classes=["pour", "rest"], val_fraction=0.0)
    assert [task.labels.names for task in data.schema.tasks] == [("stir", "wait"), ("cook",)]
    assert data.dataset("test").timelines[0].queries.label.tolist() == [2, 0, 1, 0, 1, 1]
    assert data.dataset("train").timelines[0].queries.label.tolist() == [IGNORED, 0, 1, 0, IGNORED, IGNORED]
    assert data.dataset("train").timelines[0].segments.tolist() == [[0, 0, 4]]


def test_nothing_changes_where_nothing_is_held_out() -> None:
    laid = ToyActions().dataset("train").timelines[0]
    assert UnknownClasses().relabeled(laid, ToyActions().tasks, training=True) is laid


def test_a_checkpoint_tells_which_classes_were_held_out(tmp_path: Path) -> None:
    toy = f"""
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args: {{backbone: {{class_path: gad_lightning.TinyBackbone, init_args: {{hidden_size: 16, num_layers: 1}}}}}}
data: {{class_path: gad_lightning.ToyActions, init_args: {{mode: one_pass}}}}
trainer: {{accelerator: cpu, max_epochs: 1, enable_progress_bar: false, default_root_dir: {tmp_path}}}
"""
    config = tmp_path / "toy.yaml"
    config.write_text(toy)
    held = [f"--config={config}", "--data.unknown_classes=[add salt, pour water]"]
    main(["fit", *held])
    best = next(tmp_path.rglob("best.ckpt"))
    assert Classifier.load_from_checkpoint(best).schema.unknown == tuple(HIDDEN)
    main(["test", *held, f"--ckpt_path={best}"])
    message = r"with the classes 'add salt', 'pour water' held out, and here the data has no class held out\.\n"
    with pytest.raises(CheckpointError, match=message + r".*data\.unknown_classes to \['add salt', 'pour water'\]"):
        main(["test", f"--config={config}", f"--ckpt_path={best}"])
    main(["predict", *held, f"--ckpt_path={best}"])
    _, (found,) = read_predictions(best.parents[1] / "predictions")
    names = full_labels(ToyActions(), "test")
    assert found.unknown is not None
    assert (found.truth == found.unknown).tolist() == [name in HIDDEN for name in names]


def test_predictions_say_unknown_where_the_classifier_can() -> None:
    torch.manual_seed(0)
    data = ToyActions(unknown_classes=HIDDEN, mode="one_pass")
    backbone = TinyBackbone(hidden_size=32, num_layers=1)
    classifier = GADClassifier(schema=data.schema, backbone=backbone).eval()
    classifier.fit_rejection(data, EnergyScore())
    found = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu").predict(classifier, data)
    assert found is not None
    assert int(torch.cat([part.target for part in found]).max()) == len(KNOWN)
    assert classifier.shown_schema.tasks[0].labels.names[len(KNOWN)] == "unknown"
