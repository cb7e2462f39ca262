"""The records that travel through the library."""

from __future__ import annotations

import torch

from gad_lightning.types import IGNORED, UNANSWERED, Batch, Kind, Loss, Predictions, Tokens, first_class
from tests.classifiers.making import batch, random_frames


def test_a_question_at_the_last_frames_has_no_label_and_is_never_answered() -> None:
    asked = Batch.at_last_frames(random_frames(3, 5), torch.tensor([5, 2, 1]), task=1)
    assert asked.anchor.tolist() == [4, 1, 0]
    assert asked.task.tolist() == [1, 1, 1]
    assert asked.label.tolist() == [IGNORED] * 3
    assert bool((asked.uniform >= UNANSWERED).all())


def test_some_queries_of_a_batch_keep_every_sample() -> None:
    asked = batch(random_frames(2, 5), [[0, 1], [4]], torch.tensor([1, 2, 3])).asking(torch.tensor([False, True, True]))
    assert asked.label.tolist() == [2, 3]
    assert asked.anchor.tolist() == [1, 4]
    assert len(asked.frames) == 2


def test_padding_is_of_no_sample_and_no_query() -> None:
    tokens = Tokens.empty(2, 3)
    assert bool((tokens.places.kind == Kind.PAD).all())
    assert bool((tokens.places.sample == -1).all())
    assert bool((tokens.query == -1).all())
    assert bool((tokens.target == IGNORED).all())
    assert len(tokens.slots) == 0


def test_a_loss_is_scaled_and_its_count_is_not() -> None:
    loss = Loss(torch.tensor(6.0), torch.tensor(3.0)).scaled(0.5)
    assert (float(loss.sum), float(loss.count)) == (3.0, 3.0)


def test_the_label_of_a_query_is_its_most_probable_class() -> None:
    none, scores = torch.zeros(2, dtype=torch.int64), torch.tensor([[-1.0, -0.1], [-0.2, -3.0]])
    assert Predictions(none, none, none, none, none, scores, scores, scores).label.tolist() == [1, 0]
    assert first_class(torch.tensor([3, IGNORED])).tolist() == [3, IGNORED]


def test_picked_queries_keep_what_was_said_of_them_and_what_was_not_asked_stays_so() -> None:
    number, rows = torch.arange(3), torch.eye(3)
    found = Predictions(number, number, number, number, number, rows, rows, rows)
    few = found.picked(torch.tensor([True, False, True])).cpu()
    assert few.video.tolist() == [0, 2]
    assert few.rejection is None
    assert few.unknown.tolist() == [False, False]
    told = found._replace(rejection=torch.tensor([-1.0, 0.0, 2.0])).picked(torch.tensor([2, 1])).cpu()
    assert told.unknown.tolist() == [True, False]
