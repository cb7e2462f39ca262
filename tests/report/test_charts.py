"""Charts in SVG."""

from __future__ import annotations

import math

import numpy as np

from gad_lightning.report.charts import Axes, Line, chart, matrix, scatter


def test_a_dot_after_a_value_that_is_no_number_tells_its_own() -> None:
    line = Line("loss", ((0.0, 1.0), (1.0, math.nan), (2.0, 0.5)), 0, dots=True)
    assert "loss: 2, 0.5" in "".join(chart("loss", Axes((0, 2), (0, 1), "epoch", "loss"), [line]).itertext())


def test_places_of_the_corners_lie_inside_the_chart() -> None:
    axes = Axes((0, 2), (0, 1), "across", "up", width=400, height=200)
    for x, y in ((0, 0), (2, 1)):
        left, top = axes.place(x, y)
        assert 0 < left < 400
        assert 0 < top < 200


def test_a_cell_of_the_matrix_says_its_share_of_the_row() -> None:
    text = "".join(matrix("m", np.array([[3, 1], [0, 0]]), ("rest", "stir"), [0, 1]).itertext())
    assert "rest, predicted stir: 1 frames, 25%" in text


def test_points_of_rare_classes_are_drawn_on_top() -> None:
    places, kinds = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]]), np.array([0, 1, 0])
    points = list(scatter("s", places, kinds, ("rest", "stir")).iter("circle"))
    assert [point.get("class") for point in points] == ["k0", "k0", "k1"]
