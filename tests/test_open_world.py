"""The open world: every action is held out in one split, and the page holds the tables of the stored rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.data.own_folder import write_own

HERE = Path(__file__).resolve().parent.parent / "experiments" / "open_world"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts, which import each other as neighbors."""
    monkeypatch.syspath_prepend(str(HERE))
    import open_settings
    import open_tables

    return open_settings, open_tables


def test_every_action_is_held_out_in_one_split(modules: Any, tmp_path: Path) -> None:
    settings, _ = modules
    data = settings.data_of("kitchen", write_own(tmp_path), [])
    chosen = [name for split in range(settings.SPLITS) for name in settings.held_out(data, split)]
    assert sorted(chosen) == ["pour", "stir"]
    assert settings.held_out(data, settings.FULL) == []


def test_a_pair_is_held_out_only_if_its_verb_and_object_stay(modules: Any) -> None:
    settings, _ = modules
    maps = [{"cut it": ("cut", "it"), "cut up": ("cut", "up"), "add it": ("add", "it"), "add up": ("add", "up")}]
    assert settings._stay(maps, ["cut it"])
    assert not settings._stay(maps, ["cut it", "cut up"])


def test_the_page_holds_the_tables_of_the_stored_rows(
    modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, tables = modules
    shutil.copytree(HERE / "results", tmp_path / "results")
    text = (HERE / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(text.replace(" 0.", " 9."), encoding="utf-8")
    before = text.partition(tables.BEGIN)[2]
    monkeypatch.setattr(tables, "HERE", tmp_path)
    tables.main()
    assert (tmp_path / "README.md").read_text(encoding="utf-8").partition(tables.BEGIN)[2] == before
