"""What callbacks watch is looked at before a run, not after its first epoch."""

from __future__ import annotations

from lightning import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from gad_lightning.errors import SettingError
from gad_lightning.results.standard import names_of
from gad_lightning.schema import DataSchema

ALWAYS = ("step", "epoch", "train/", "lr-")
"""What the trainer itself can be watched by, and how names begin that are known only while it trains."""


def check_monitors(trainer: Trainer, schema: DataSchema) -> None:
    """Refuse a ``monitor`` that no validation logs.

    Nothing is said where callbacks of other packages may log more.

    Args:
        trainer: whose callbacks are looked at.
        schema: tasks whose metrics are logged.

    Raises:
        SettingError: naming the callback, its monitor and what is logged.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
    logged = [f"val/{name}" for name in names_of(schema)] if trainer.limit_val_batches else []
    if not all(type(callback).__module__.startswith(("lightning.", "gad_lightning.")) for callback in callbacks):
        return
    for callback in callbacks:
        if not isinstance(callback, ModelCheckpoint | EarlyStopping):
            continue
        told = callback.strict if isinstance(callback, EarlyStopping) else True
        monitor = callback.monitor
        if told and monitor is not None and monitor not in logged and not monitor.startswith(ALWAYS):
            raise SettingError(
                f"trainer.callbacks names a `monitor` that is not logged: {monitor!r} of {type(callback).__name__}. "
                f"Logged are {', '.join([*logged, 'train/loss'])}.",
                "set `monitor` to one of them, or leave it out",
            )
