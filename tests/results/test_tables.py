"""Tables and facts on the disk, in UTF-8 whatever the locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.results.tables import read_csv, read_json, write_csv, write_json


def test_a_table_comes_back_as_texts(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [{"a": "=1", "b": -1.5}, {"a": None, "b": 2}], ("a", "b"))
    assert (tmp_path / "t.csv").read_text() == "a,b\n'=1,-1.5\n,2\n"
    assert read_csv(tmp_path / "t.csv") == [{"a": "=1", "b": "-1.5"}, {"a": "", "b": "2"}]


def test_a_mark_of_byte_order_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8-sig")
    assert read_csv(tmp_path / "t.csv") == [{"a": "1", "b": "2"}]


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a\n\u00e4\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv cannot be read as CSV"):
        read_csv(tmp_path / "t.csv")


def test_facts_come_back_and_what_is_none_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", {"a": ["\u00e4", 1]})
    assert read_json(tmp_path / "f.json") == {"a": ["\u00e4", 1]}
    with pytest.raises(DataError, match=r"none\.json is damaged"):
        read_json(tmp_path / "none.json")


def test_files_are_utf_8_in_an_ascii_locale(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from gad_lightning.results.tables import *\n"
        "write_csv(Path('t.csv'), [{'a': '\\u5207'}], ('a',)); write_json(Path('f.json'), {'a': '\\u5207'})\n"
        "assert read_csv(Path('t.csv')) == [{'a': '\\u5207'}] and read_json(Path('f.json')) == {'a': '\\u5207'}"
    )
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=plain)
    assert (tmp_path / "f.json").read_text(encoding="utf-8") == '{\n "a": "\u5207"\n}\n'
