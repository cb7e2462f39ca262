"""What is drawn under the pictures of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gad_lightning.errors import SettingError
from gad_lightning.pictures.overlay import INK, LANE, Overlay, Row, Stretch
from gad_lightning.pictures.timelines import color_of
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "pour"), 0)
ROWS = [Row("truth", [Stretch(2, 5, 1)]), Row("found", [Stretch(2.5, 6, 1, 0.75), Stretch(4, 8, 2, 0.5)])]
PICTURE = np.full((90, 450, 3), 7, np.uint8)


def has(panel: np.ndarray, color: tuple[int, ...]) -> bool:
    """Whether a color is anywhere."""
    return bool((panel == np.uint8(color)).all(-1).any())


def rgb(label: int) -> tuple[int, ...]:
    """Color of a class as bytes."""
    return tuple(round(255 * part) for part in color_of(label, LABELS))


def test_the_picture_stays_and_the_drawing_is_below_it() -> None:
    overlay = Overlay(ROWS, LABELS, 10.0)
    shown = overlay(3.0, PICTURE)
    assert np.array_equal(shown[:90], PICTURE)
    assert has(shown[90:], rgb(1))
    assert has(shown[90:], rgb(2))
    assert {overlay(seconds, PICTURE).shape for seconds in (0.0, 9.9, 12.0)} == {shown.shape}


def test_the_line_runs_and_the_label_is_that_of_the_time() -> None:
    overlay = Overlay(ROWS[:1], LABELS, 10.0)
    before, within, after = (overlay(seconds, PICTURE)[90:] for seconds in (1.0, 3.0, 9.0))
    places = [np.flatnonzero((panel == np.uint8(INK)).all(-1).sum(0) > 18).mean() for panel in (before, within, after)]
    assert places == pytest.approx([6 + 43.8 * seconds for seconds in (1, 3, 9)], abs=2)
    label = slice(0, 20)
    assert has(within[label], rgb(1))
    assert not has(before[label], rgb(1))
    assert not has(after[label], rgb(1))


def test_a_long_video_runs_past_the_line_in_the_middle() -> None:
    overlay = Overlay([Row("found", [Stretch(600, 610, 1, 1.0)])], LABELS, 3600.0)
    assert not has(overlay(300.0, PICTURE)[90:], rgb(1))
    assert has(overlay(580.0, PICTURE)[90:], rgb(1)), "it is less than half a minute ahead"
    assert has(overlay(300.0, PICTURE)[90:], LANE)


def test_long_names_are_cut_where_there_is_no_room_and_odd_letters_are_no_problem() -> None:
    names = LabelSet(("background", "a very long name of a class " * 9, "\u653e\u8336 \U0001f375\n\t"), 0)
    rows = [Row("found", [Stretch(0, 5, 1, 0.5), Stretch(1, 5, 2, 0.5)])]
    assert Overlay(rows, names, 5.0)(2.0, PICTURE).shape[1] == 450
    assert Overlay(rows, names, 5.0)(2.0, PICTURE[:, :20]).shape[1] == 20


def test_a_font_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(b"no font")
    with pytest.raises(SettingError, match=r"a\.ttf is no font"):
        Overlay(ROWS, LABELS, 10.0, tmp_path / "a.ttf")
