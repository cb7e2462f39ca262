"""The table of contexts in the folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.results.context_table import CONTEXTS, ContextRow, ContextTable, read_contexts, write_contexts

ROW = ContextRow("PreviousActions(1)", (0.1, 0.0, 0.2), (0.1, 0.0, 0.2), (0.5, 0.4, 0.6))
TABLE = ContextTable("val", 12, "NoContext", (ROW, ROW._replace(name="the label, written anyhow")))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert write_contexts(tmp_path, TABLE) == tmp_path / CONTEXTS
    assert read_contexts(tmp_path) == TABLE


def test_a_run_without_a_table_has_none(tmp_path: Path) -> None:
    assert read_contexts(tmp_path) is None


@pytest.mark.parametrize("text", ['{"split": "val"}', '{"split": 1, "videos": 2, "chosen": 3, "contexts": [{}]}', "[]"])
def test_a_damaged_table_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / CONTEXTS).write_text(text)
    with pytest.raises(DataError, match=r"contexts\.json"):
        read_contexts(tmp_path)
