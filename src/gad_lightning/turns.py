"""One pass at a time through modules that threads share."""

from __future__ import annotations

from threading import RLock
from types import TracebackType


class Turns:
    """A lock that a module can hold: a copy of it, also by pickle, is another lock.

    A thread that holds it may take it again.
    """

    def __init__(self) -> None:
        self.lock = RLock()

    def __enter__(self) -> None:
        """Wait for one's turn."""
        self.lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the next thread go on."""
        self.lock.release()

    def __reduce__(self) -> tuple[type[Turns], tuple[()]]:
        """Copy as a lock that nobody holds."""
        return Turns, ()
