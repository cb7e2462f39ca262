"""The picture of a frontier: a dot a scale, a ring at the knee."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.errors import SettingError
from gad_lightning.pictures.frontier import draw_frontier

POINTS = [(0.0, 0.1), (0.1, 0.4), (0.4, 0.5)]


def test_each_panel_has_a_dot_a_scale_and_a_ring_at_the_knee() -> None:
    figure = draw_frontier(
        {"KL": POINTS, "pairs": [(0.8, 0.1), (0.7, 0.4), (0.5, 0.5)]}, [0, 0.5, 1], "segment_f1", 0.5
    )
    assert [axes.get_xlabel() for axes in figure.axes] == ["KL", "pairs"]
    for axes in figure.axes:
        line, ring = axes.lines
        assert [text.get_text() for text in axes.texts] == ["0", "0.5", "1"]
        assert (np.asarray(ring.get_xdata())[0], np.asarray(ring.get_ydata())[0]) == (
            np.asarray(line.get_xdata())[1],
            0.4,
        )
    assert figure.axes[0].get_ylabel() == "segment_f1 on validation"


def test_without_a_knee_there_is_no_ring() -> None:
    assert len(draw_frontier({"KL": POINTS}, [0, 0.5, 1], "top1", None).axes[0].lines) == 1


@pytest.mark.parametrize("panels", [{}, {"KL": POINTS[:2]}])
def test_nothing_to_draw_is_refused(panels: dict[str, list[tuple[float, float]]]) -> None:
    with pytest.raises(SettingError, match="There is no frontier to draw"):
        draw_frontier(panels, [0, 0.5, 1], "top1", None)
