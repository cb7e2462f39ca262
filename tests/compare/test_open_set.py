"""Unknown actions in a comparison."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.compare.open_set import LEVELS, figure_lines, figures_of, ranked_metrics
from gad_lightning.results.open_set import open_set_of
from tests.results.test_open_set import drawn


@pytest.mark.parametrize("rejects", [True, False])
def test_counts_by_video_add_up_to_the_scores_of_all_segments(rejects: bool) -> None:
    predictions = drawn(rejects=rejects)
    found = open_set_of(predictions).segments
    metrics = {metric.name: metric for metric in ranked_metrics(predictions)}
    for name in ("auroc", "oscr"):
        metric = metrics[f"unknown_{name}"]
        assert metric.counts.shape == (2, 3 * LEVELS)
        assert float(metric.value(metric.counts.sum(0))) == pytest.approx(found[name])
        assert metric.value(np.stack([metric.counts, metric.counts])).shape == (2, 2)


def test_without_unknown_truth_there_is_nothing_to_rank() -> None:
    known = drawn()._replace(truth=np.ones(200, dtype=np.int64))
    assert list(ranked_metrics(known)) == []
    assert list(ranked_metrics(known._replace(unknown=None))) == []
    assert figures_of(known._replace(unknown=None)) == {}


def test_all_figures_stand_in_a_table_with_names_as_text() -> None:
    one, other = (figures_of(drawn(seed)) for seed in (0, 1))
    text = "\n".join(figure_lines({"gad|<b>": [one, other], "disc": [figures_of(drawn(rejects=False))]}))
    mean = (one["unknown_segment_auroc"] + other["unknown_segment_auroc"]) / 2
    assert f"| gad\\|&lt;b&gt; | {mean:.3f} ± " in text
    assert "segment fpr95" in text
    assert "three way" in text
    assert figure_lines({"disc": [{}]}) == []
