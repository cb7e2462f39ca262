"""Known action, background or unknown action: against scikit-learn and a plain loop."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import f1_score

from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.three_way import KINDS, kinds_of, three_way_scores

SPACE = LabelSpace(4, 0, -100)
"""Background and three actions; 4 is none of them."""


def drawn(seed: int, frames: int = 400) -> tuple[FrameTable, torch.Tensor]:
    """Frames of two videos in runs of a few, some not labeled, and which are called unknown."""
    draw = torch.Generator().manual_seed(seed)
    target = torch.randint(5, (frames // 4,), generator=draw).repeat_interleave(4)
    target[::37] = -100
    preds, video = torch.randint(4, (frames,), generator=draw), torch.arange(frames) // (frames // 2)
    breaks = torch.zeros(frames, dtype=torch.bool)
    breaks[0] = breaks[frames // 2] = True
    return FrameTable(preds, target, video, torch.arange(frames), breaks), torch.rand(frames, generator=draw) < 0.3


def kind_of(label: int, unknown: bool = False) -> int:
    """As one would say it."""
    return KINDS.index("unknown" if unknown or label == 4 else "background" if label == 0 else "known")


@pytest.mark.parametrize("seed", range(3))
def test_frames_are_scored_as_scikit_learn_does(seed: int) -> None:
    table, said = drawn(seed)
    scored = [row for row in range(len(said)) if int(table.target[row]) >= 0]
    truth = [kind_of(int(table.target[row])) for row in scored]
    told = [kind_of(int(table.preds[row]), bool(said[row])) for row in scored]
    found = three_way_scores(kinds_of(table, said, SPACE)["frame"])
    expected = f1_score(truth, told, labels=range(3), average=None)
    assert [float(found[f"{kind}_f1"]) for kind in KINDS] == pytest.approx(expected.tolist())
    assert float(found["three_way"]) == pytest.approx(f1_score(truth, told, average="macro"))


@pytest.mark.parametrize("seed", range(3))
def test_segments_are_what_most_of_their_frames_are(seed: int) -> None:
    table, said = drawn(seed)
    counts = torch.zeros(3, 3, dtype=torch.int64)
    start = 0
    for row in range(1, len(said) + 1):
        ends = row == len(said) or bool(table.breaks[row]) or int(table.target[row]) != int(table.target[start])
        if ends:
            told = [kind_of(int(table.preds[one]), bool(said[one])) for one in range(start, row)]
            if int(table.target[start]) >= 0:
                most = max(range(3), key=lambda kind: (told.count(kind), -kind))
                counts[kind_of(int(table.target[start])), most] += 1
            start = row
    assert torch.equal(kinds_of(table, said, SPACE)["segment"], counts)


def test_a_kind_that_does_not_occur_is_left_out_of_the_mean() -> None:
    found = three_way_scores(torch.tensor([[3, 0, 1], [0, 0, 0], [0, 0, 2]]))
    assert bool(found["background_f1"].isnan())
    assert float(found["three_way"]) == pytest.approx((6 / 7 + 4 / 5) / 2)


def test_without_a_background_class_every_action_is_known_or_unknown() -> None:
    table, said = drawn(0)
    counts = kinds_of(table, said, LabelSpace(4, None, -100))["frame"]
    assert int(counts[1].sum() + counts[:, 1].sum()) == 0
