"""What a user says of classes beside their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.heads.class_table import actions_of, read_classes
from gad_lightning.schema import LabelSet


def test_every_column_that_is_asked_for_is_read(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text('label,verb,object,note\nadd salt,add,salt,x\n"cut, fine",cut,herb,\n')
    assert read_classes(table, ("verb", "object")) == {"add salt": ("add", "salt"), "cut, fine": ("cut", "herb")}


def test_a_class_that_stands_twice_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("label,text\nstir,a\nstir,b\n")
    with pytest.raises(DataError, match="line 3: the class 'stir' stands twice"):
        read_classes(table, ("text",))


def test_a_file_that_is_not_there_is_named_with_its_header(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"none\.csv is not there") as caught:
        read_classes(tmp_path / "none.csv", ("text",))
    assert "label,text" in caught.value.remedy


def test_background_and_ignored_classes_are_no_actions() -> None:
    assert actions_of(LabelSet(("idle", "stir", "unclear"), 0, 2)) == ["stir"]
