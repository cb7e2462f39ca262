"""The energy of the logits."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.rejection.energy import EnergyScore
from tests.rejection import reference
from tests.rejection.making import LOGITS, check_equal


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_it_equals_the_reference(temperature: float) -> None:
    check_equal(EnergyScore(temperature), -temperature * reference.logsumexp(LOGITS / temperature))


def test_a_temperature_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="temperature of EnergyScore must be above 0, got 0"):
        EnergyScore(temperature=0)
