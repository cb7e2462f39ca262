"""Settings that a machine cannot run are refused with the reason."""

from __future__ import annotations

import pytest

from gad_lightning.cli import main
from gad_lightning.errors import SettingError


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="says what a machine without a GPU gets")
def test_a_gpu_config_on_a_machine_without_one_stops_with_the_reason(config: str) -> None:
    with pytest.raises(SettingError, match=r"accelerator is 'cuda', but .* (was built for CPUs only|finds no GPU)"):
        main(["fit", config, "--trainer.accelerator=cuda"])
