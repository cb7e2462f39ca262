"""Claims on folds: each is tested on videos of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gad_lightning.compare.runs import Run, Variant
from gad_lightning.compare.statistics import Value
from gad_lightning.compare.tables import Scored

CLAIMS = Path(__file__).resolve().parent.parent / "experiments" / "claims"


def test_folds_are_the_units_of_a_comparison_and_may_have_other_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CLAIMS))
    import records

    def fold(videos: str, right: list[float]) -> Scored:
        counts = {"top1": np.array([[each, 10.0] for each in right])}
        values: dict[str, Value] = {"top1": lambda summed: summed[..., 0] / summed[..., 1]}
        units = {"top1": tuple(videos)}
        return Scored(Run(Variant("disc", CLAIMS), 0, CLAIMS), {}, counts, values, {}, frozenset(), units, {})

    first = {0: fold("ab", [9, 9]), 1: fold("cde", [8, 8, 8]), 2: fold("f", [9])}
    second = {0: fold("ab", [8, 8]), 1: fold("cde", [6, 6, 6])}
    cells = records.cells_of(first, second, "top1", 0.01, folds=True)
    assert cells["by_seed"] == pytest.approx([0.1, 0.2])
    assert (cells["num_seeds"], cells["num_videos"], cells["half_width_of_videos"]) == (2, 5, 0.0)
    assert records.cells_of({0: first[0]}, {1: second[1]}, "top1", 0.01, folds=True) is None
