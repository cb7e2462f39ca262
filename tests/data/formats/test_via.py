"""VIA's projects: stretches with options or free texts."""

from __future__ import annotations

from pathlib import Path

from tests.data.formats.reading import read_file

PROJECT = {
    "project": {},
    "attribute": {"1": {"aname": "step", "options": {"0": "stir", "1": "pour"}}, "2": {"aname": "note", "options": {}}},
    "file": {"1": {"fid": "1", "fname": "cook.mp4"}},
    "view": {"1": {"fid_list": ["1"]}},
    "metadata": {
        "1_a": {"vid": "1", "z": [1.0, 2.5], "xy": [], "av": {"1": "1"}},
        "1_b": {"vid": "1", "z": [3.0, 4.0], "xy": [], "av": {"1": "", "2": "slowly"}},
        "1_c": {"vid": "1", "z": [5.0], "xy": [2, 0, 0, 1, 1], "av": {"1": "0"}},
        "1_d": {"vid": "1", "z": [], "xy": [2, 0, 0, 1, 1], "av": {"1": "0"}},
    },
}


def test_a_project_is_read_by_the_names_of_its_options(tmp_path: Path) -> None:
    reading = read_file(tmp_path, "x.json", PROJECT).reading
    assert [one[:4] for one in reading.annotations] == [("cook", 1.0, 2.5, "pour"), ("cook", 3.0, 4.0, "slowly")]
    assert [len(places) for places in reading.left_out.values()] == [1, 1]
    assert "metadata without times" in reading.left_out
