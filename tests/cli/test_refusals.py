"""What Lightning refuses is told in one message that names the setting, without a traceback."""

from __future__ import annotations

import pytest

from gad_lightning.cli import main
from gad_lightning.errors import SettingError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["test", "--ckpt_path=best"], r"--ckpt_path=best is only known to the run that trains"),
        (
            ["fit", "--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val_loss"],
            r"trainer\.callbacks names a `monitor` that is not logged: .*val/segment_f1",
        ),
        (
            ["fit", "--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.monitor=val_loss"],
            r"trainer\.callbacks names a `monitor` that is not logged: .*val/segment_f1",
        ),
        (
            [
                "fit",
                "--trainer.callbacks=EarlyStopping",
                "--trainer.callbacks.monitor=val/segment_f1",
                "--trainer.callbacks.mode=up",
            ],
            r"^`mode` can be min, max, got up\n",
        ),
        (["fit", "--trainer.logger=lightning.pytorch.loggers.MLFlowLogger"], r"needs a package .*mlflow"),
        (["fit", "--trainer.barebones=true"], r"trainer\.barebones turns logs and checkpoints off"),
        (["fit", "--trainer.strategy=nope"], r"trainer\.strategy: .*invalid strategy name"),
        (["fit", "--trainer.precision=16-true", "--trainer.devices=-3"], r"trainer\.(precision|devices)"),
    ],
)
def test_a_refusal_names_the_setting(config: str, words: list[str], message: str) -> None:
    with pytest.raises(SettingError, match=rf"(?s){message}.*To fix it: "):
        main(
            [words[0], config, *words[1:], "--trainer.max_epochs=1"]
            if words[0] == "fit"
            else [words[0], config, words[1]]
        )


def test_a_fault_of_the_users_own_code_keeps_its_traceback(config: str, outside: None) -> None:
    with pytest.raises(ZeroDivisionError):
        main(["fit", config, "--trainer.callbacks=my_package.Faulty", "--trainer.max_epochs=1"])
