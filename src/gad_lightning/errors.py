"""Errors that a user can cause: what was expected, the value met, and the next thing to do."""

from __future__ import annotations


class GadError(Exception):
    """Base of this library's errors; ``message`` says what is wrong and ``remedy`` what to do about it.

    Deliberately no ``ValueError``: argument parsers swallow those and the sentence with them.

    Args:
        message: what was expected and the value met, one or two sentences with a full stop.
        remedy: the next thing to do, with config keys as the user would type them.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\nTo fix it: {remedy}")
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[GadError], tuple[str, str]]:
        """Survive the way back from a worker process."""
        return type(self), (self.message, self.remedy)


class MissingDataError(GadError):
    """A file or folder that a run needs is not there."""


class DataError(GadError):
    """A file is there, but what it holds cannot be used."""


class SettingError(GadError):
    """A setting has a value that cannot work."""


class NotFiniteError(GadError):
    """A loss, a gradient or a weight is nan or infinite: the run cannot go on."""


class CheckpointError(GadError):
    """A checkpoint is damaged or belongs to another model, head or label order."""
