"""A stream of a server that comes back by itself."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from gad_lightning.classifiers.detection import Stretch
from gad_lightning.optional import need
from gad_lightning.serving.told import ServerError, Told, stretches_of, told_of

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

Frame = bytes | np.ndarray
"""A JPEG file; a picture, (h, w, 3) uint8; or a row of features, (D,) or (N, D)."""
TOO_LARGE = 1009
"""Code of a server that takes no message so large: the same frame again would be refused again."""
FINAL = {TOO_LARGE, 4400, 4401, 4409, 4413, 4503}
"""Codes after which a stream does not come back."""
LOST = {4404, 4410}
"""Codes of a server that does not have the stream any more."""
KEPT = 64
"""Frames that are kept to be sent again."""
QUALITY = 90
"""Of the JPEG pictures that are made here."""
CONNECT_SECONDS = 10.0


class AsyncStream:
    """One stream of a server, from :meth:`AsyncClient.stream`.

    A lost connection is made again, for ``retry_seconds``; frames that the server had not taken are sent again. If it
    does not have the stream any more, a new one takes its place, and the first label says ``restarted``. One task may
    send while another one reads.
    """

    def __init__(self, url: str, token: str, start: dict[str, Any], retry_seconds: float) -> None:
        self.url, self.token, self.start, self.retry_seconds = url, token, start, retry_seconds
        self.ready: dict[str, Any] = {}
        self.sent = self.dropped = self.lost_before = 0
        self.after = -1
        self.recent: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self.shifts = [(0, 0)]  # from which of the server's frames on its numbers are so many below this side's
        self.restarted = self.finishing = False
        self.left: tuple[Stretch, ...] = ()
        self.socket: ClientConnection | None = None
        self.gone: ClientConnection | None = None  # the connection that is being made again
        self.turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open the stream, if it is not."""
        if self.socket is None:
            await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; a stream that was not ended keeps its place for a while."""
        if self.socket is not None:
            await self.socket.close()

    async def send(self, frame: Frame) -> int:
        """Send a frame without waiting for its label; gives its number."""
        data, number = _bytes_of(frame, self.start["kind"]), self.sent
        self.sent += 1
        self.recent.append((number, data))
        await self._out(data)
        return number

    async def label(self, frame: Frame) -> Told:
        """Send a frame and wait for its label: no frame is lost to a newer one.

        Raises:
            ServerError: if the server closes the stream for good.
        """
        number = await self.send(frame)
        while (told := await self.next()) is not None:
            if told.frame >= number:
                return told
        raise ServerError("The stream has ended.", "start a new one", 1000)

    async def restart(self) -> None:
        """Let the next frame begin a new stream, as after a gap."""
        await self._out(json.dumps({"type": "restart"}))

    async def end(self) -> tuple[Stretch, ...]:
        """End the stream; gives the events that went on. Labels that nobody has read are passed over."""
        await self.finish()
        while await self.next() is not None:
            pass
        return self.left

    async def finish(self) -> None:
        """Say that no frame comes any more: the labels end once all that wait are there."""
        self.finishing = True
        await self._out(json.dumps({"type": "end"}))

    def __aiter__(self) -> Self:
        """Labels as they come, until the stream has ended."""
        return self

    async def __anext__(self) -> Told:
        """The next label."""
        if (told := await self.next()) is None:
            raise StopAsyncIteration
        return told

    async def next(self) -> Told | None:
        """Wait for the next label; None once the stream has ended.

        Raises:
            ServerError: if the server closes the stream for good, or cannot be reached again.
        """
        closed: type[Exception] = need("websockets").ConnectionClosed
        while True:
            assert self.socket is not None
            socket = self.socket
            try:
                message = None if socket is self.gone else json.loads(await socket.recv())
            except closed:
                message = None
            if message is None or socket is self.gone:  # what still comes of it will be told again
                await self._again(socket)
                continue
            if message["type"] == "closed":
                if message["code"] in FINAL:
                    raise ServerError(message["why"], message.get("remedy", "start a new stream"), message["code"])
                continue
            self.after = message["id"]
            if message["type"] == "end":
                self.left = stretches_of(message["ended"], self.shifts[-1][1] / self.ready["fps"])
                return None
            shift = next(shift for first, shift in reversed(self.shifts) if message["frame"] >= first)
            told = told_of(message, shift, self.ready["fps"], self.lost_before, self.restarted)
            self.restarted, self.dropped = False, told.dropped
            while self.recent and self.recent[0][0] <= told.frame:
                self.recent.popleft()
            return told

    async def _out(self, message: bytes | str) -> None:
        closed: type[Exception] = need("websockets").ConnectionClosed
        assert self.socket is not None
        socket = self.socket
        try:
            await socket.send(message)
        except closed:
            await self._again(socket)

    async def _again(self, lost: ClientConnection) -> None:
        """Connect again, unless somebody has done so meanwhile.

        Raises:
            ServerError: if the server does not want the stream any more, or is not there.
        """
        async with self.turn:
            if self.socket is not lost:
                return
            self.gone = lost
            if lost.close_code == TOO_LARGE:
                why, remedy = (
                    "A frame is larger than the server takes.",
                    "send smaller ones or raise --limits.frame_kb",
                )
                raise ServerError(why, remedy, TOO_LARGE)
            if lost.close_code in FINAL:
                raise ServerError(lost.close_reason or "The stream was closed.", "start a new stream", lost.close_code)
            until = asyncio.get_running_loop().time() + self.retry_seconds
            pause = 0.1
            while True:
                try:
                    await self._connect()
                    return
                except ServerError as error:
                    if error.code in FINAL - {4503} or asyncio.get_running_loop().time() + pause > until:
                        raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)

    async def _connect(self) -> None:
        """Open or resume the stream, and send what the server has not taken.

        Raises:
            ServerError: if the server is not there, or refuses.
        """
        websockets = need("websockets", extra="serve", why="to reach a server")
        try:
            socket, told = await self._greet(
                {"resume": self.ready["resume"], "after": self.after} if self.ready else {}
            )
            if told["type"] == "closed" and told["code"] in LOST:
                first = self.recent[0][0] if self.recent else self.sent
                self.shifts, self.lost_before, self.after = [(0, first)], self.dropped, -1
                self.restarted, self.ready = True, {}
                socket, told = await self._greet({})
            if told["type"] == "closed":
                raise ServerError(told["why"], told.get("remedy", ""), told["code"])
            self.ready = told
            await self._catch_up(socket, told["next"])
        except (OSError, TimeoutError, ValueError, websockets.WebSocketException) as error:
            raise ServerError("The server gives no answer, or is none.", "check the address", 0) from error
        self.socket = socket

    async def _catch_up(self, socket: ClientConnection, wanted: int) -> None:
        """Send the frames from a number of the server's on, those that are sent meanwhile too."""
        shift = self.shifts[-1][1]
        again = [number for number, _ in self.recent if number - shift >= wanted]
        first = again[0] if again else self.sent
        if first - shift > wanted:  # frames that are on neither side any more
            self.lost_before += first - shift - wanted
            self.shifts = [*self.shifts[-KEPT:], (wanted, first - wanted)]
        while left := [(number, data) for number, data in self.recent if number >= first]:
            await socket.send(left[0][1])
            first = left[0][0] + 1
        if self.finishing:
            await socket.send(json.dumps({"type": "end"}))

    async def _greet(self, resume: dict[str, Any]) -> tuple[ClientConnection, dict[str, Any]]:
        """Connect and send the first message; gives the connection and the answer."""
        connect = need("websockets.asyncio.client").connect
        socket: ClientConnection = await connect(
            f"{self.url}/stream", max_size=None, compression=None, open_timeout=CONNECT_SECONDS
        )
        token = {"token": self.token} if self.token else {}
        await socket.send(json.dumps({"type": "start", **(resume or self.start), **token}))
        async with asyncio.timeout(CONNECT_SECONDS):
            answer: dict[str, Any] = json.loads(await socket.recv())
        return socket, answer


def _bytes_of(frame: Frame, kind: str) -> bytes:
    """A frame as a message: float32 rows, or a JPEG file."""
    if isinstance(frame, bytes):
        return frame
    if kind == "features":
        return np.asarray(frame, dtype="<f4").tobytes()
    file = BytesIO()
    Image.fromarray(np.asarray(frame, dtype=np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
