"""Errors say what is wrong and what to do, and survive the way back from another process."""

from __future__ import annotations

import copy

import pytest

from gad_lightning.errors import CheckpointError, DataError, GadError, MissingDataError, SettingError


@pytest.mark.parametrize("kind", [CheckpointError, DataError, MissingDataError, SettingError])
def test_an_error_is_the_same_on_its_way_between_processes(kind: type[GadError]) -> None:
    error = copy.copy(kind("It is wrong.", "do this"))  # by what a process sends
    assert type(error) is kind
    assert (error.message, error.remedy) == ("It is wrong.", "do this")
    assert str(error) == "It is wrong.\nTo fix it: do this"
    assert not isinstance(error, ValueError), "argument parsers swallow those"
