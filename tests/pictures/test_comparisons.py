"""Pictures of compared variants."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.pictures.comparisons import draw_scores


def test_every_run_is_a_dot_and_every_variant_has_its_mean() -> None:
    figure = draw_scores({"top1": {"Disc": [0.8, 0.9], "Gen": [0.7]}, "segment-F1": {"Disc": [0.5, 0.6], "Gen": [0.4]}})
    first, second = figure.axes
    assert [axes.get_title() for axes in (first, second)] == ["top1", "segment-F1"]
    dots = [line.get_xdata() for line in first.lines if line.get_color() == "0.7"]
    assert [list(values) for values in dots] == [[0.8, 0.9], [0.7]]
    assert [text.get_text() for text in first.get_yticklabels()] == ["Disc", "Gen"]


@pytest.mark.parametrize("scores", [{}, {"top1": {}}])
def test_nothing_to_draw_is_refused(scores: dict[str, dict[str, list[float]]]) -> None:
    with pytest.raises(SettingError, match="no score to draw"):
        draw_scores(scores)
