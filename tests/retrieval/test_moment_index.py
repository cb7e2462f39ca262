"""The index of moments: exact if small, close if large, the same after it was saved, refused if damaged."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.retrieval.moment_index import ABOUT, MOMENTS, ROWS, MomentIndex
from tests.retrieval.making import facts, moments_of, random_moments, random_rows

pytest.importorskip("faiss", reason="the extra `search`")


@pytest.fixture
def built(tmp_path: Path) -> MomentIndex:
    """A small index."""
    return MomentIndex.build(tmp_path / "index", random_rows(500), random_moments(500), facts())


@pytest.mark.parametrize("unit", ["segment", "second", None])
def test_a_small_index_gives_exactly_the_nearest_of_a_unit(built: MomentIndex, unit: Any) -> None:
    rows, moments = random_rows(500), random_moments(500)
    order = np.argsort(moments["unit"], kind="stable")
    rows, moments = rows[order], moments[order]
    wanted = np.ones(500, bool) if unit is None else moments["unit"] == (unit == "second")
    for query in random_rows(5, seed=1):
        cosines = np.where(wanted, rows @ query, -2)
        found = built.nearest(query, 7, unit)
        assert set(found.numbers) == set(np.argsort(-cosines)[:7])
        assert found.scores.tolist() == pytest.approx(np.sort(cosines)[::-1][:7].tolist(), abs=2e-3)
        assert (built.moments[found.numbers] == moments[found.numbers]).all()


def test_what_is_asked_for_beyond_the_rows_is_left_out(built: MomentIndex) -> None:
    query = random_rows(1)[0]
    assert len(built.nearest(query, 10_000).numbers) == len(built) == 500
    assert len(built.nearest(query, 10_000, "segment").numbers) == built.segments


def test_a_unit_without_moments_has_no_neighbor(tmp_path: Path) -> None:
    only = MomentIndex.build(tmp_path / "i", random_rows(1), moments_of([(0, 0.0, 1.0, 1, 0)]), facts())
    assert only.nearest(random_rows(1)[0], 5, "second").numbers.tolist() == []


def test_moments_of_a_class_come_by_their_probability(built: MomentIndex) -> None:
    found = built.of_class(2, 5, "segment")
    assert (built.moments["label"][found.numbers] == 2).all()
    assert (built.moments["unit"][found.numbers] == 0).all()
    known = built.moments["probability"][: built.segments][built.moments["label"][: built.segments] == 2]
    assert found.scores.tolist() == np.sort(known)[::-1][:5].tolist()


@pytest.mark.parametrize("size", [500, 25_000])
def test_an_index_that_was_saved_gives_the_same_to_the_bit(size: int, tmp_path: Path) -> None:
    first = MomentIndex.build(tmp_path / "one", random_rows(size), random_moments(size), facts())
    again = MomentIndex(tmp_path / "one", "abc")
    other = MomentIndex.build(tmp_path / "two", random_rows(size).astype(np.float16), random_moments(size), facts())
    assert again.facts == facts()
    for query in random_rows(20, seed=2):
        found = first.nearest(query, 10)
        assert found.numbers.tolist() == again.nearest(query, 10).numbers.tolist()
        assert found.scores.tolist() == again.nearest(query, 10).scores.tolist()
        assert found.scores.tolist() == pytest.approx(other.nearest(query, 10).scores.tolist(), abs=2e-3)


def test_files_are_mapped_and_not_read(built: MomentIndex) -> None:
    assert isinstance(built.moments, np.memmap)
    assert not built.moments.flags.writeable


@pytest.mark.slow  # builds a large index: some seconds
def test_a_hundred_thousand_moments_are_indexed_in_seconds_and_found_in_milliseconds(tmp_path: Path) -> None:
    rows = random_rows(100_000, 128, 2000)
    begin = time.perf_counter()
    built = MomentIndex.build(tmp_path / "index", rows, random_moments(100_000), facts())
    assert time.perf_counter() - begin < 60, "of the two minutes that ten times as many may take, on busy cores"
    hits, waits = 0, []
    order = np.argsort(random_moments(100_000)["unit"], kind="stable")
    for query in rows[:50]:
        begin = time.perf_counter()
        found = built.nearest(query, 10)
        waits.append(time.perf_counter() - begin)
        hits += len(set(found.numbers) & set(np.argsort(-(rows[order] @ query))[:10]))
    assert statistics.median(waits) < 0.01
    assert hits > 0.95 * 500


def test_the_index_of_another_checkpoint_is_refused(built: MomentIndex) -> None:
    with pytest.raises(SettingError, match=r"the index of another checkpoint, best\.ckpt[^!]*gad-lightning index"):
        MomentIndex(built.folder, "another")


def test_a_folder_without_an_index_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"There is no index in [^!]*gad-lightning index RUN"):
        MomentIndex(tmp_path)


@pytest.mark.parametrize("file", [MOMENTS, ROWS])
@pytest.mark.parametrize("content", [b"", b"no index at all", None])
def test_damaged_files_are_refused_by_name(built: MomentIndex, file: str, content: bytes | None) -> None:
    path = built.folder / file
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(DataError, match=r"The index .* (cannot be read|is damaged)[^!]*make it again"):
        MomentIndex(built.folder)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', "{}", '{"format": 1, "videos": 3}', "\udcff"])
def test_a_description_that_is_none_is_refused(built: MomentIndex, content: str) -> None:
    (built.folder / ABOUT).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"index\.json describes no index"):
        MomentIndex(built.folder)


def test_moments_of_videos_that_are_not_there_are_damage(built: MomentIndex) -> None:
    told = json.loads((built.folder / ABOUT).read_text())
    (built.folder / ABOUT).write_text(json.dumps({**told, "videos": ["one"]}))
    with pytest.raises(DataError, match="do not fit together"):
        MomentIndex(built.folder)
    (built.folder / ABOUT).write_text(json.dumps({**told, "format": 2}))
    with pytest.raises(DataError, match="no index of this version"):
        MomentIndex(built.folder)


def test_rows_that_cannot_be_indexed_are_refused(tmp_path: Path, built: MomentIndex) -> None:
    with pytest.raises(DataError, match="0 embeddings of 0 moments"):
        MomentIndex.build(tmp_path, random_rows(0), random_moments(0), facts())
    with pytest.raises(DataError, match="not finite"):
        MomentIndex.build(tmp_path, np.full((1, 2), np.nan, np.float32), random_moments(1), facts())
    with pytest.raises(SettingError, match=r"the shape \(3,\); the index holds rows of width 16"):
        built.nearest(np.zeros(3, np.float32))
