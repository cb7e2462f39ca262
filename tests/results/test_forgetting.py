"""What was found of a run: the knee, and files that are read again or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.results.forgetting import (
    FACTS,
    FOLDER,
    NEUTRAL_KL,
    PAIRS,
    TABLE,
    AtScale,
    Forgetting,
    read_forgetting,
    write_forgetting,
)


def measured(*points: tuple[float, float, float]) -> Forgetting:
    """Scales, scores of the task, and KL on neutral text."""
    rows = tuple(AtScale(scale, {"segment_f1": task}, {"kl_neutral": kl}) for scale, task, kl in points)
    return Forgetting("segment_f1", rows, {"adapter": 12})


def test_the_knee_is_farthest_above_the_line_from_base_to_trained() -> None:
    found = measured((0, 0.1, 0), (0.25, 0.2, 0.02), (0.5, 0.45, 0.1), (0.75, 0.5, 0.3), (1, 0.5, 0.4), (1.5, 0.6, 0.5))
    assert found.knee() == 0.5


def test_there_is_no_knee_below_the_line_nor_where_nothing_is_gained_or_forgotten() -> None:
    assert measured((0, 0.1, 0), (0.5, 0.2, 0.3), (1, 0.5, 0.4)).knee() is None
    assert measured((0, 0.5, 0), (0.5, 0.6, 0.1), (1, 0.4, 0.4)).knee() is None
    assert measured((0, 0.1, 0), (0.5, 0.2, 0), (1, 0.5, 0)).knee() is None
    assert measured((0.5, 0.2, 0.1), (1, 0.5, 0.4)).knee() is None
    assert measured((0, 0.1, 0), (1, 0.5, 0.4)).knee() is None


def test_a_probe_that_was_not_made_has_no_points() -> None:
    found = measured((0, 0.1, 0), (1, 0.5, 0.4))
    assert found.points(NEUTRAL_KL) == [(0, 0.1), (0.4, 0.5)]
    assert found.points(PAIRS) == []


def test_it_is_written_and_read_again(tmp_path: Path) -> None:
    found, folder = measured((0, 0.1, 0), (1, 0.5, 0.4)), tmp_path / FOLDER
    assert read_forgetting(tmp_path) is None
    folder.mkdir()
    write_forgetting(folder, found)
    assert read_forgetting(tmp_path) == found
    assert (folder / TABLE).read_text() == "scale,segment_f1,kl_neutral\n0,0.1,0\n1,0.5,0.4\n"


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"metric": "a", "counts": {}, "rows": []}',
        '{"metric": "a", "counts": {}, "rows": [{"scale": 1, "metrics": {"b": 1}, "probes": {"kl_neutral": 1}}]}',
        '{"metric": "a", "counts": {}, "rows": [{"scale": "x", "metrics": {}, "probes": {}}]}',
        '{"metric": "a", "counts": [], "rows": []}',
    ],
)
def test_a_damaged_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FACTS).write_text(content)
    with pytest.raises(DataError, match=r"forgetting\.json is damaged"):
        read_forgetting(tmp_path)
