"""What callbacks watch is looked at before a run, not after its first epoch."""

from __future__ import annotations

from collections.abc import Sequence

from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from gad_lightning.errors import SettingError

ALWAYS = ("step", "epoch", "train/", "lr-")
"""What the trainer itself can be watched by, and how names begin that are known only while it trains."""


def check_monitors(callbacks: Sequence[Callback], logged: Sequence[str]) -> None:
    """Refuse a ``monitor`` that no validation logs.

    Nothing is said where callbacks of other packages may log more.

    Args:
        callbacks: of the trainer.
        logged: names that validation logs.

    Raises:
        SettingError: naming the callback, its monitor and what is logged.
    """
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
                f"Logged are {', '.join(logged)} and train/loss.",
                "set `monitor` to one of them, or leave it out",
            )
