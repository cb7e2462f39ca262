"""A package that is missing is named with the command that installs it."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.optional import need


def test_what_is_installed_is_imported() -> None:
    assert need("json.decoder").__name__ == "json.decoder"


def test_what_is_missing_is_named_with_the_remedy() -> None:
    with pytest.raises(
        SettingError, match=r"'no_such_package' is needed to play and is not installed\.\n.*pip install"
    ):
        need("no_such_package.part", why="to play")
    with pytest.raises(SettingError, match=r"pip install 'gad-lightning\[video\]'"):
        need("no_such_package", extra="video")


def test_a_missing_part_of_an_installed_package_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError):
        need("json.no_such_part")
