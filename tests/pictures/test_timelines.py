"""Timelines show what they are given: one color a class, seconds, names, gaps."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from gad_lightning.errors import SettingError
from gad_lightning.pictures.timelines import color_of, draw_timelines, save_picture
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED
from gad_lightning.video.kitchen.kitchen import KITCHEN_CLASSES

LABELS = LabelSet(("background", "add salt", "stir soup"), 0)


def bars(figure: Figure) -> list[tuple[float, float, str]]:
    """Left edge, width and color of every bar of the first panel."""
    patches = figure.axes[0].patches
    return [(patch.get_x(), patch.get_width(), to_hex(patch.get_facecolor())) for patch in patches]


def test_bars_lie_at_the_seconds_of_their_segments() -> None:
    figure = draw_timelines({"soup": {"truth": [0, 1, 1, 2]}}, LABELS, fps=2.0)
    colors = [to_hex(color_of(label, LABELS)) for label in range(3)]
    assert bars(figure) == [(0.0, 0.5, colors[0]), (0.5, 1.0, colors[1]), (1.5, 0.5, colors[2])]
    assert figure.axes[0].get_xlim() == (0.0, 2.0)


def test_an_ignored_frame_is_left_blank() -> None:
    figure = draw_timelines({"soup": {"truth": [1, IGNORED, 1]}}, LABELS, fps=1.0)
    assert [left for left, *_ in bars(figure)] == [0.0, 2.0]


def test_the_legend_names_the_classes_that_occur() -> None:
    figure = draw_timelines({"soup": {"truth": [0, 2], "GAD": [0, IGNORED]}}, LABELS, fps=1.0)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["background", "stir soup"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["truth", "GAD"]


def test_no_two_classes_of_the_kitchen_share_a_color() -> None:
    labels = LabelSet(KITCHEN_CLASSES, 0)
    colors = sorted(color_of(label, labels) for label in range(len(KITCHEN_CLASSES)))
    for first, second in pairwise(colors):
        assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 0.02


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    figure = draw_timelines({"soup": {"truth": [0, 1]}, "tea": {"truth": [2], "GAD": [1]}}, LABELS, fps=4.0)
    save_picture(figure, tmp_path / "timelines.png", dpi=50)
    assert [path.name for path in tmp_path.iterdir()] == ["timelines.png"]
    with Image.open(tmp_path / "timelines.png") as picture:
        assert picture.width == 550


@pytest.mark.parametrize("videos", [pytest.param({}, id="no video"), pytest.param({"soup": {}}, id="no track")])
def test_nothing_to_draw_is_refused(videos: dict[str, dict[str, list[int]]]) -> None:
    with pytest.raises(SettingError, match="no timeline to draw"):
        draw_timelines(videos, LABELS, fps=4.0)
