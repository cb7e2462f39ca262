"""Several labels a frame, from the segments of a CSV to scores and segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.tools.export import export_classifier
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

SEVERAL = schema()._replace(tasks=(Task("action", LabelSet(NAMES, 0, multi_label=True)),))


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_each_class_has_a_probability_of_its_own(kind: type[DiscriminativeClassifier]) -> None:
    asked = batch(random_frames(2, 8), [[3, 7], [5]])
    found = make(kind, schema=SEVERAL).eval().scores(asked)
    torch.testing.assert_close(found.scores.exp(), found.logits.sigmoid())
    single = make(kind).eval().scores(asked)
    torch.testing.assert_close(single.scores.exp(), single.logits.softmax(1))


def test_tasks_of_one_and_of_several_labels_stand_side_by_side() -> None:
    tasks = (*SEVERAL.tasks, Task("dish", LabelSet(("tea", "soup"))))
    model = make(DiscriminativeClassifier, schema=DataSchema(tasks, ("tea",), SEVERAL.features)).eval()
    asked = batch(random_frames(2, 8), [[7, 7], [7]])._replace(task=torch.tensor([0, 1, 1]))
    found = model.scores(asked)
    torch.testing.assert_close(found.scores[0].exp(), found.logits[0].sigmoid())
    torch.testing.assert_close(found.scores[1:, :2].exp(), found.logits[1:, :2].softmax(1))
    assert (found.scores[1:, 2:] == -torch.inf).all()


def test_detect_gives_all_labels_of_a_frame_and_segments_that_overlap() -> None:
    model = make(DiscriminativeClassifier, schema=SEVERAL).eval()
    with torch.no_grad():
        for head in model.heads:
            head.project.weight.mul_(30)
    found = model.detect(np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32))
    chosen = found.scores[:, 1:] >= np.log(0.5)
    assert (chosen.sum(1) > 1).any()
    for row, text in zip(chosen, found.labels, strict=True):
        names = [name for name, one in zip(NAMES[1:], row.tolist(), strict=True) if one]
        assert text.split("; ") == (names or ["background"])
    laid = torch.zeros(30, len(NAMES) - 1, dtype=torch.bool)
    for label, start, end, score, _ in found.segments:
        laid[round(start * 4) : round(end * 4), NAMES.index(label) - 1] = True
        assert score >= np.log(0.5)
    assert torch.equal(laid, chosen)


def test_an_exported_file_gives_the_same_probabilities(tmp_path: Path) -> None:
    model = make(DiscriminativeClassifier, schema=SEVERAL).eval()
    assert export_classifier(model, tmp_path / "x.pt2") < 1e-5


def test_a_checkpoint_remembers_it(tmp_path: Path) -> None:
    model = make(DiscriminativeClassifier, schema=SEVERAL).eval()
    model.save_pretrained(tmp_path / "shared")
    again = DiscriminativeClassifier.from_pretrained(tmp_path / "shared")
    assert again.schema.tasks[0].labels.multi_label
    frames = random_frames(1, 8)
    assert torch.equal(again(frames), model(frames))
