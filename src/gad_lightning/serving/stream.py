"""One live stream as the server keeps it: frames that wait, messages that were told, and nothing that grows."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import deque
from itertools import islice
from typing import Literal, NamedTuple

from gad_lightning.serving.limits import Limits
from gad_lightning.serving.messages import Start, Value, text_of


class Waiting(NamedTuple):
    """A frame that waits to be labeled."""

    number: int  # among those that the client sent, from 0
    data: bytes | None  # None: the stream ends here
    arrived: float  # time.monotonic()
    anew: bool = False  # whether the stream begins anew with it


class Leave(NamedTuple):
    """Why a connection is closed."""

    code: int
    why: str


class Stream:
    """One stream; only the server's event loop touches it.

    Args:
        place: its number in the detector.
        start: what its client asked for.
        limits: of the server.
    """

    def __init__(self, place: int, start: Start, limits: Limits) -> None:
        self.place, self.start, self.limits = place, start, limits
        self.digest = ""
        self.waiting: deque[Waiting] = deque()
        self.history: deque[str] = deque(maxlen=limits.history)
        self.told = self.sent = self.labeled = self.dropped = self.refused = 0
        self.last = -1
        self.lost: list[list[int]] = []
        self.since: dict[int, int] = {}
        self.anew = True
        self.over = False
        self.closing: int | None = None
        self.heard = time.monotonic()
        self.left: float | None = None
        self.earliest = 0.0
        self.changed = asyncio.Event()
        self.leave: asyncio.Future[Leave] | None = None

    def new_token(self) -> str:
        """A token that resumes the stream; the one before it does so no more."""
        token = secrets.token_urlsafe(24)
        self.digest = digest_of(token)
        return token

    def hold(self) -> asyncio.Future[Leave]:
        """Give the stream to a connection; the one that had it is told to leave."""
        self.dismiss(Leave(4409, "another connection has resumed the stream"))
        self.leave, self.left = asyncio.get_running_loop().create_future(), None
        self.heard = time.monotonic()
        self.changed.set()
        return self.leave

    def dismiss(self, why: Leave) -> None:
        """Tell the connection that has the stream to leave."""
        if self.leave is not None and not self.leave.done():
            self.leave.set_result(why)

    def put(self, data: bytes | None) -> int:
        """Take the next frame, or the end; gives the number of frames that were lost to it, 0 or 1."""
        self.heard = time.monotonic()
        frame = Waiting(self.sent, data, self.heard, self.anew)
        if data is not None:
            self.sent, self.anew = self.sent + 1, False
        else:
            self.over = True
        lost = 0
        if data is not None and len(self.waiting) >= self.limits.waiting:
            oldest = self.waiting.popleft()
            lost = 1
            self.dropped += 1
            if self.lost and self.lost[-1][1] == oldest.number - 1:
                self.lost[-1][1] = oldest.number
            else:
                self.lost.append([oldest.number, oldest.number])
            if oldest.anew:
                frame = self._begin_anew(frame)
        self.waiting.append(frame)
        return lost

    def _begin_anew(self, newest: Waiting) -> Waiting:
        """Let the stream begin anew with the frame after the one that was lost; gives the newest one."""
        if not self.waiting:
            return newest._replace(anew=True)
        self.waiting[0] = self.waiting[0]._replace(anew=True)
        return newest

    def take(self, now: float) -> Waiting:
        """Take the oldest frame that waits; the next one is due a while later."""
        self.earliest = max(self.earliest, now - 1) + 1 / self.limits.frames_per_second
        return self.waiting.popleft()

    def tell(self, kind: Literal["label", "refused", "end"], message: dict[str, Value]) -> None:
        """Keep a message for the client, with its number and the frames that were lost before it."""
        counts = {"type": kind, "id": self.told, "dropped": self.dropped, "lost": self.lost}
        self.history.append(text_of({**counts, **message}))
        self.closing = self.told if kind == "end" else self.closing
        self.told += 1
        self.lost = []
        self.changed.set()

    def messages_from(self, number: int) -> list[str] | None:
        """Messages from a number on; None if some of them are kept no more."""
        oldest = self.told - len(self.history)
        if number < oldest:
            return None
        return list(islice(self.history, number - oldest, None))


def digest_of(token: str) -> str:
    """What is kept of a token: it tells the token again, and cannot be turned back."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
