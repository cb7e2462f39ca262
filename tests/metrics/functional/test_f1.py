"""From counts to F1, by class and by band of frequency."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.metrics.functional.f1 import BANDS, Counts, averaged, band_title, f1_details, f1_scores
from gad_lightning.metrics.functional.labels import LabelSpace

LABELS = LabelSpace(4, background=0)
COUNTS = Counts(torch.tensor([0, 2, 0, 1]), torch.tensor([0, 2, 1, 1]), torch.tensor([0, 4, 0, 1]))


def test_nothing_found_of_nothing_is_0() -> None:
    assert f1_scores(COUNTS)["f1"].tolist() == pytest.approx([0, 4 / 6, 0, 1])


def test_averages_differ_in_the_classes_that_they_count() -> None:
    means = {name: float(averaged(COUNTS, LABELS, name)["f1"]) for name in ("micro", "macro", "macro_all")}  # type: ignore[arg-type]  # each is one
    assert means == pytest.approx({"micro": 6 / 9, "macro": (4 / 6 + 0 + 1) / 3, "macro_all": (4 / 6 + 0 + 1) / 3})
    with pytest.raises(SettingError, match="average is 'mean'"):
        averaged(COUNTS, LABELS, "mean")  # type: ignore[arg-type]  # what is refused


def test_bands_follow_the_training_counts_and_leave_no_count_out() -> None:
    found = f1_details(COUNTS, LABELS, class_counts=[500, 19, 0, 101])
    assert {name: float(scores["f1"]) for name, scores in found["bands"].items()} == pytest.approx(
        {"unseen": 0.0, "few": 4 / 6, "many": 1.0}
    )
    ends = [(low, high) for _, low, high in BANDS]
    assert all(high is None or ends[place + 1][0] == high + 1 for place, (_, high) in enumerate(ends))
    assert band_title("many") == "many (101 or more)"
