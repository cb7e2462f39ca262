"""New classes without training: by a text, by examples; everything else stays as it was, to the last bit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor
from torch.nn.functional import normalize

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.data.toy import ToyActions
from gad_lightning.decisions.path import Decisions
from gad_lightning.errors import CheckpointError, DataError, SettingError
from gad_lightning.heads.text import TextHead
from gad_lightning.rejection.neighbors import NeighborScore
from gad_lightning.schema import LabelSet, Mode
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.types import Batch
from tests.classifiers.making import NAMES, WIDTH, make, random_frames, schema

FRAMES = random_frames(1, 12)[0]
EXAMPLES = {"pour": [(FRAMES, 0.0, 1.0), (FRAMES, 1.5, 2.5)]}


def texted(mode: str = "frozen", one: Mode = "window", kind: type[Classifier] = GADClassifier) -> Classifier:
    """A tiny classifier with texts, whose words are those of its class names."""
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    head = partial(TextHead, mode=mode)
    return make(kind, schema=schema(mode=one, short=4, chunk=5), backbone=backbone, head=head).eval()


def head_of(classifier: Classifier) -> TextHead:
    """Its head."""
    assert isinstance(classifier, DiscriminativeClassifier)
    head = classifier.heads[0]
    assert isinstance(head, TextHead)
    return head


def live_logits(classifier: Classifier) -> Tensor:
    """Of every frame, as they come."""
    detector = OnlineDetector(classifier)
    return torch.cat([detector.push(frame).logits for frame in FRAMES])


def window_logits(classifier: Classifier) -> Tensor:
    """Of every frame, all windows at once."""
    with torch.no_grad():
        return classifier.scores(
            Batch.at_last_frames(FRAMES[None].expand(3, -1, -1, -1), torch.tensor([4, 3, 1]))
        ).logits


def one_pass_logits(classifier: Classifier) -> Tensor:
    """Of every frame of a chunk."""
    whole = Batch.at_last_frames(FRAMES[None, :9], torch.tensor([9]))
    anchors = torch.arange(4, 9)
    same = {name: getattr(whole, name).expand(5) for name in ("sample", "horizon", "task", "label", "video", "uniform")}
    with torch.no_grad():
        return classifier.scores(whole._replace(anchor=anchors, frame=anchors, query_index=anchors, **same)).logits


WAYS = [
    pytest.param("window", window_logits, id="window mode"),
    pytest.param("one_pass", one_pass_logits, id="one pass"),
    pytest.param("window", live_logits, id="live windows"),
    pytest.param("one_pass", live_logits, id="live one pass"),
]


@pytest.mark.parametrize(("mode", "logits_of"), WAYS)
def test_every_other_logit_stays_the_same_to_the_last_bit(mode: Mode, logits_of: Any) -> None:
    classifier = texted(one=mode)
    before = logits_of(classifier)
    classifier.add_classes({"pour": "stir salt"})
    once = logits_of(classifier)
    classifier.add_classes({"wait": "add", "cut": "salt"}, examples=None)
    twice = logits_of(classifier)
    assert torch.equal(once[:, : len(NAMES)], before)
    assert torch.equal(twice[:, : len(NAMES) + 1], once)
    assert twice.shape[1] == len(NAMES) + 3


def test_a_class_that_is_added_by_text_scores_as_one_that_was_there() -> None:
    classifier = texted()
    classifier.add_classes({"blend": "add salt"})
    logits = window_logits(classifier)
    assert torch.allclose(logits[:, -1], logits[:, NAMES.index("add salt")], atol=1e-5)
    assert classifier.schema.tasks[0].labels.names == (*NAMES, "blend")


@pytest.mark.parametrize("weight", [0.0, 4.0])
def test_examples_and_text_are_weighed_as_stated(weight: float) -> None:
    classifier = texted()
    head, states = head_of(classifier), classifier.slot_states(FRAMES)
    each = torch.stack([states[0:4].mean(0), states[6:10].mean(0)])
    with torch.no_grad():
        text = head.directions_of(classifier.backbone.text_states(["stir salt"]))[0]
        expected = normalize(2 * head.project(each).mean(0) + weight * text, dim=0)
    classifier.add_classes({"pour": "stir salt"}, EXAMPLES, text_weight=weight)
    assert torch.allclose(head.added[0][0], expected, atol=1e-5)


def test_free_rows_take_examples_alone() -> None:
    classifier = texted("free")
    classifier.add_classes(examples=EXAMPLES)
    assert classifier.detect(FRAMES).scores.shape == (len(FRAMES), len(NAMES) + 1)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    classifier = texted()
    classifier.add_classes({"pour": "stir salt"}, EXAMPLES)
    classifier.add_classes({"wait": "add"})
    head_of(classifier).offset.data.fill_(0.5)
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(classifier)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    for source in (tmp_path / "a.ckpt", classifier.save_pretrained(tmp_path / "folder")):
        again = Classifier.from_pretrained(source)
        assert again.schema == classifier.schema
        assert torch.equal(window_logits(again), window_logits(classifier))
        again.add_classes({"cut": "salt"})
        assert torch.equal(window_logits(again)[:, :-1], window_logits(classifier))


def test_a_classifier_with_other_added_classes_refuses_the_checkpoint(tmp_path: Path) -> None:
    classifier, other = texted(), texted()
    classifier.add_classes({"pour": "stir"})
    other.add_classes({"wait": "add"})
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(classifier)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    with pytest.raises(CheckpointError, match=r"given the classes \[\('wait',\)\], the checkpoint \[\('pour',\)\]"):
        other.on_load_checkpoint(content)


def test_what_is_added_by_examples_is_known_to_a_rejection_too() -> None:
    classifier = texted()
    score = NeighborScore(neighbors=1)
    states = classifier.slot_states(FRAMES)
    score.fit(-states[:5], states[:5], torch.arange(5))
    classifier.rejector = Rejector(score)
    before = score(states[:4], states[:4])
    classifier.add_classes(examples={"pour": [(FRAMES, 0.0, 0.25)]})
    after = score(states[:4], states[:4])
    assert float(after[0]) < 1e-3 < float(before[0])


def test_the_constant_for_added_classes_is_chosen_and_moves_no_other_logit() -> None:
    data = ToyActions(num_videos=8, mode="one_pass")
    torch.manual_seed(0)
    classifier = DiscriminativeClassifier(
        schema=data.schema, backbone=TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2}), head=TextHead
    ).eval()
    classifier.add_classes({"mix": "stir"})
    found = [classifier.score_in_evaluation(batch) for batch in data.val_dataloader()]
    told = [part._replace(target=torch.where(part.target == 2, 8, part.target)) for part in found]
    with pytest.raises(DataError, match=r"No predictions were given\.\n"):
        classifier.calibrate_added([])
    offset = classifier.calibrate_added(told)
    again = [classifier.score_in_evaluation(batch) for batch in data.val_dataloader()]
    for before, after in zip(found, again, strict=True):
        assert torch.equal(after.logits[:, :8], before.logits[:, :8])
        assert torch.allclose(after.logits[:, 8], before.logits[:, 8] + offset, atol=1e-5)
    assert classifier.calibrate_added(
        [part._replace(target=row.target) for part, row in zip(again, told, strict=True)]
    ) == (pytest.approx(offset, abs=1e-4))


BAD: list[Any] = [
    pytest.param({"texts": {}}, SettingError, "There is no class to add", id="nothing"),
    pytest.param({"texts": {"stir": "round"}}, SettingError, "The class 'stir' is there already", id="known"),
    pytest.param({"texts": {"unknown": "what"}}, SettingError, "'unknown' is there already", id="unknown"),
    pytest.param({"texts": {"Stir": "round"}}, SettingError, "'Stir' would be read as 'stir'", id="alike"),
    pytest.param({"texts": {" add\nsugar": "x"}}, SettingError, "'add sugar' is there already", id="line break"),
    pytest.param({"texts": {"pour": " "}}, SettingError, "text of the class 'pour' is empty", id="empty text"),
    pytest.param({"texts": {" ": "pours"}}, SettingError, "has an empty name", id="empty name"),
    pytest.param({"texts": {"pour": "stir"}, "text_weight": -1}, SettingError, "text_weight must be 0 or more", id="w"),
    pytest.param({"examples": {"pour": []}}, SettingError, "The class 'pour' has no example", id="no example"),
    pytest.param(
        {"examples": {"pour": [(FRAMES, 1.0, 1.0)]}}, SettingError, "from 1 s to 1 s, which holds no frame", id="length"
    ),
    pytest.param(
        {"examples": {"pour": [(FRAMES, 1.0, 9.0)]}}, DataError, "ends at 9 s, and its video at 3 s", id="too long"
    ),
    pytest.param(
        {"examples": {"pour": [(torch.zeros(4, WIDTH + 1), 0.0, 1.0)]}}, SettingError, "made for", id="other features"
    ),
    pytest.param({"examples": {"stir": [(FRAMES, 0.0, 1.0)]}}, SettingError, "'stir' is there already", id="known too"),
    pytest.param({"texts": {"pour": "stir", "cut": ""}}, SettingError, "'cut' is empty", id="the second one"),
]


@pytest.mark.parametrize(("given", "kind", "named"), BAD)
def test_what_cannot_be_added_is_named_and_changes_nothing(given: Any, kind: type[Exception], named: str) -> None:
    classifier = texted()
    before, state = window_logits(classifier), set(classifier.trained_state())
    with pytest.raises(kind, match=named):
        classifier.add_classes(**given)
    assert torch.equal(window_logits(classifier), before)
    assert classifier.schema.tasks[0].labels.names == NAMES
    assert set(classifier.trained_state()) == state


def test_examples_of_another_encoder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(SettingError, match="trained on features of the encoder 'test', not 'small'"):
        texted().add_classes(examples={"pour": [(tmp_path / "a.mp4", 0.0, 1.0)]})


def test_a_text_that_is_hardly_told_apart_is_named() -> None:
    with pytest.warns(UserWarning, match="The texts of 'stir' and 'turn' have a cosine of 1.000"):
        texted().add_classes({"turn": "stir"})


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (lambda: make(DiscriminativeClassifier), "has a LinearHead"),
        (lambda: make(GenerativeClassifier), "is a GenerativeClassifier without a head"),
    ],
    ids=["another head", "none"],
)
def test_only_heads_of_texts_take_classes(made: Any, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        made().add_classes({"pour": "pours"})


def test_free_rows_know_no_texts() -> None:
    with pytest.raises(SettingError, match="mode free knows no texts, and 'pour' has one"):
        texted("free").add_classes({"pour": "stir"})


def test_a_model_that_was_trained_whole_takes_examples_alone() -> None:
    classifier = make(DiscriminativeClassifier, head=TextHead).eval()
    with pytest.raises(SettingError, match="was trained whole"):
        classifier.add_classes({"pour": "stir"})
    classifier.add_classes(examples=EXAMPLES, text_weight=0)
    assert classifier.schema.tasks[0].labels.names[-1] == "pour"


def test_training_with_added_classes_is_refused() -> None:
    classifier = texted()
    classifier.add_classes({"pour": "stir"})
    with pytest.raises(SettingError, match="Classes were added without training: pour"):
        classifier.check_trainable()


def test_decisions_of_fewer_classes_are_dropped_with_a_warning() -> None:
    classifier = texted()
    labels = classifier.schema.tasks[0].labels
    classifier.decisions = {"action": Decisions(labels, 4.0)}
    with pytest.warns(UserWarning, match="fitted decisions are dropped: calibrate again"):
        classifier.add_classes({"pour": "stir"})
    assert classifier.decisions == {}


@pytest.mark.parametrize(
    "settings", [{}, {"unknown_classes": ["add salt", "stir tea"]}, {"added_classes": ["stir tea"]}]
)
def test_data_that_counts_added_classes_in_another_way_is_refused(settings: dict[str, Any]) -> None:
    known = ToyActions(unknown_classes=["add salt", "stir tea"], mode="one_pass")
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    classifier = DiscriminativeClassifier(schema=known.schema, backbone=backbone, head=TextHead).eval()
    classifier.add_classes({"stir tea": "stir tea", "add salt": "add salt"})
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    message = (
        r"was given the classes \['stir tea', 'add salt'\] after its training, and the data counts .*\n.*set data\.a"
    )
    with pytest.raises(SettingError, match=message):
        trainer.predict(classifier, ToyActions(mode="one_pass", **settings))
    trainer.predict(classifier, ToyActions(mode="one_pass", added_classes=["stir tea", "add salt"]))


def test_a_checkpoint_is_not_read_where_its_added_classes_count_among_the_trained(tmp_path: Path) -> None:
    classifier = texted()
    classifier.add_classes({"pour": "stir"})
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(classifier)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    named = schema()._replace(tasks=(schema().tasks[0]._replace(labels=LabelSet(("pour", *NAMES), 1)),))
    other = make(DiscriminativeClassifier, schema=named, head=TextHead)
    with pytest.raises(
        CheckpointError, match=r"given the classes 'pour' after .*\n.*data\.added_classes to \['pour'\]"
    ):
        other.on_load_checkpoint(content)
