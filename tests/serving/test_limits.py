"""Limits are numbers above 0."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.serving.limits import Limits


@pytest.mark.parametrize("given", [{"waiting": 0}, {"body_mb": -1.0}, {"jobs": 1.5}, {"stall_seconds": float("inf")}])
def test_a_limit_that_is_none_is_named(given: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=f"limits.{next(iter(given))} is a") as error:
        Limits(**given)  # type: ignore[arg-type]  # wrong on purpose
    assert "leave it out" in error.value.remedy
