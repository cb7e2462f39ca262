"""What a query's sequence is: classes over and its own, or means of what was seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.errors import SettingError
from gad_lightning.objectives.slices import ActionSlices, FrameSlices, SliceSource
from gad_lightning.types import Batch
from tests.classifiers.making import WIDTH, batch, random_frames, schema


def prepared(source: SliceSource, **windows: Any) -> Any:
    """A source that knows its data."""
    backbone, known = TinyBackbone(hidden_size=16, num_layers=1), schema(**windows)
    backbone.prepare(known, list(known.tasks[0].labels.names))
    source.prepare(known, backbone)
    return source


def asked() -> Batch:
    """Class 1 lasts from frame 0 to 2, class 3 from 2 to 4, background follows; asked at 1, 3 and 7."""
    return batch(random_frames(2, 8), [[1, 3, 7], [7]], torch.tensor([1, 3, 0, 0]))


def classes_of(rows: Tensor) -> list[int]:
    """Classes of rows of an identity."""
    return [int(row.argmax()) for row in rows if row.any()]


def test_actions_that_are_over_come_before_the_own_class() -> None:
    found = prepared(ActionSlices("apart")).slices(asked())
    assert [classes_of(rows) for rows in found.rows] == [[1], [1, 3], [1, 3, 0], [1, 3, 0]]
    assert found.counts.tolist() == [1, 2, 3, 3]
    assert len(set(found.sample.tolist())) == 4  # three stretches of one video, one of another


def test_the_last_ones_are_kept() -> None:
    found = prepared(ActionSlices("apart", history=2)).slices(asked())
    assert [classes_of(rows) for rows in found.rows] == [[1], [1, 3], [3, 0], [3, 0]]


def test_names_are_vectors_of_length_one_about_their_mean() -> None:
    source = prepared(ActionSlices())
    every = source.every()
    assert every.rows.shape == (1, 5, 16)
    assert torch.allclose(every.rows.norm(dim=-1), torch.ones(1, 5))
    assert (every.rows[0] @ every.rows[0].T).triu(1).min() < 0
    assert torch.equal(source.slices(asked()).rows[1, 1], every.rows[0, 3])


def test_queries_of_one_segment_are_of_one_sample() -> None:
    close = batch(random_frames(1, 8), [[0, 1, 2, 4, 6]], torch.tensor([1, 1, 3, 0, 0]))
    one, same, other, rest, too = prepared(ActionSlices("apart")).slices(close).sample.tolist()
    assert one == same
    assert rest == too
    assert len({one, other, rest}) == 3


def test_frames_are_averaged_by_stretch_and_only_as_far_as_they_are_seen() -> None:
    source, given = prepared(FrameSlices()), asked()
    found, frames = source.slices(given), given.frames.mean(2)
    assert found.counts.tolist() == [1, 2, 3, 3]
    assert source.every() is None
    expected = torch.nn.functional.normalize(frames[0, 2:4].mean(0), dim=0)
    assert torch.allclose(found.rows[1, 1], expected, atol=1e-5)
    later = given._replace(first_frame=torch.tensor([3, 0]), frame=given.frame + torch.tensor([3, 3, 3, 0]))
    moved = source.slices(later)
    assert moved.counts.tolist() == [2, 2, 2, 3]  # the first segment is out of sight, of the second one frame is left
    expected = torch.nn.functional.normalize(frames[0, :1].mean(0), dim=0)
    assert torch.allclose(moved.rows[1, 0], expected, atol=1e-5)


@pytest.mark.parametrize("source", [ActionSlices("apart"), FrameSlices()])
def test_no_queries_give_no_rows_of_the_usual_width(source: SliceSource) -> None:
    known = prepared(source)
    none = known.slices(asked().asking(torch.zeros(4, dtype=torch.bool)))
    assert none.rows.shape == (0, 1, known.slices(asked()).rows.shape[2])
    assert none.rows.shape[2] in (5, WIDTH)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingError, match="history of ActionSlices must be at least 1, got 0"):
        ActionSlices(history=0)
    with pytest.raises(SettingError, match=r"FrameSlices needs every frame; .* strides 2, 1[^!]*data\.short_stride"):
        prepared(FrameSlices(), short_stride=2)
