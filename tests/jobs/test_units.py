"""Units of work: each is taken once, a kill leaves nothing that is held, and the manifest tells of every video."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.jobs.place import Place, place_of
from gad_lightning.jobs.units import Units, VideoOutcome

NAMES = ["a", "b", "c", "=d", "e"]
HOLDER = """
import sys, time
from pathlib import Path
from gad_lightning.jobs.place import Place
from gad_lightning.jobs.units import Units
units = Units(Place(Path(sys.argv[1])), list("abcde"), 2)
taken = units.take_each()
print(next(taken), flush=True)
time.sleep(100)
"""


def outcomes(units: Units, number: int) -> list[VideoOutcome]:
    """All videos of a unit, done."""
    return [VideoOutcome(units.names[video], "done", 3) for video in units.videos(number)]


def test_units_are_neighboring_videos_and_the_last_is_shorter(tmp_path: Path) -> None:
    units = Units(Place(tmp_path), NAMES, 2)
    assert [list(units.videos(number)) for number in range(len(units))] == [[0, 1], [2, 3], [4]]


def test_a_unit_that_is_done_is_never_taken_again(tmp_path: Path) -> None:
    first = Units(Place(tmp_path), NAMES, 2)
    for number in first.take_each([1]):
        first.finish(number, outcomes(first, number))
    again = Units(Place(tmp_path), NAMES, 2)
    taken = []
    for number in again.take_each():
        taken.append(number)
        again.finish(number, outcomes(again, number))
    assert taken == [0, 2]
    assert again.done() == {0, 1, 2}
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == [f"00000{n}.json" for n in range(3)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks of this kind")
def test_what_another_process_works_on_is_passed_over_until_it_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"0\n"
    units = Units(Place(tmp_path), list("abcde"), 2)
    taken = []
    for number in units.take_each():
        taken.append(number)
        units.finish(number, outcomes(units, number))
        if number == 2:
            holder.kill()
            holder.wait()
    assert taken == [1, 2, 0]
    assert not list((tmp_path / "units").glob("*.lock"))


def test_the_manifest_has_a_row_a_video_once_all_units_are_done(tmp_path: Path) -> None:
    units = Units(Place(tmp_path), NAMES, 3)
    taken = units.take_each()
    units.finish(next(taken), outcomes(units, 0))
    assert units.write_manifest() == []
    assert not (tmp_path / "manifest.csv").exists()
    broken = VideoOutcome("=d", "broken", problem="it is no video")
    units.finish(next(taken), [broken, VideoOutcome("e", "done", 7)], unknown=["action"])
    assert units.write_manifest() == [broken]
    assert (tmp_path / "manifest.csv").read_text().splitlines()[3:] == [
        "c,done,3,,0",
        "'=d,broken,0,it is no video,1",
        "e,done,7,,1",
    ]
    assert [facts for _, facts, _ in units.facts()] == [{}, {"unknown": ["action"]}]


def test_a_place_of_other_work_is_refused(tmp_path: Path) -> None:
    Units(Place(tmp_path), NAMES, 2).claim({"table": "csv"})
    Units(Place(tmp_path), NAMES, 2).claim({"table": "csv"})
    with pytest.raises(DataError, match=r"its table is 'csv', here it is 'parquet'.*\n.*plan\.json"):
        Units(Place(tmp_path), NAMES, 2).claim({"table": "parquet"})
    with pytest.raises(DataError, match=r"its names is"):
        Units(Place(tmp_path), [*NAMES[1:], "f"], 2).claim({"table": "csv"})


def test_a_damaged_mark_is_named(tmp_path: Path) -> None:
    units = Units(Place(tmp_path), NAMES, 9)
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "000000.json").write_text('{"videos": [{"x": 1}]}')
    with pytest.raises(DataError, match=r"000000\.json is damaged.*\n.*delete it"):
        units.write_manifest()


def test_a_unit_has_a_video_at_least(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="at least 1, got 0"):
        Units(Place(tmp_path), NAMES, 0)


def test_units_are_kept_in_an_object_store_too() -> None:
    units = Units(place_of("memory://results/of/units"), NAMES, 2)
    units.claim({})
    for number in units.take_each():
        units.finish(number, outcomes(units, number))
    again = Units(place_of("memory://results/of/units"), NAMES, 2)
    again.claim({})
    assert again.done() == {0, 1, 2}
    assert list(again.take_each()) == []
