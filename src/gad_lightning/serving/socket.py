"""One WebSocket: a stream's frames in, its labels out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from gad_lightning.schema import FeatureSpec
from gad_lightning.serving.batching import Batcher
from gad_lightning.serving.messages import BadMessage, Value, read_object, read_opening, text_of
from gad_lightning.serving.places import Places
from gad_lightning.serving.stream import Leave, Stream

Knows = Callable[[WebSocket, str], bool]
"""Tells whether a connection, or the token that it has sent, is allowed."""


class StreamSocket:
    """The end point of streams.

    Args:
        places: of the server.
        batcher: takes the frames.
        spec: of the classifier's features.
        knows: whether a client may have a stream.
        calibrated: whether events are those of fitted decisions.
    """

    def __init__(self, places: Places, batcher: Batcher, spec: FeatureSpec, knows: Knows, calibrated: bool) -> None:
        self.places, self.batcher, self.spec, self.knows = places, batcher, spec, knows
        self.calibrated = calibrated

    async def connect(self, socket: WebSocket) -> None:
        """Serve one connection until either side has enough."""
        await socket.accept()
        with suppress(WebSocketDisconnect):
            try:
                why = await self._serve(socket)
            except BadMessage as error:
                await socket.send_text(
                    text_of({"type": "closed", "code": error.code, "why": error.message, "remedy": error.remedy})
                )
                why = Leave(error.code, error.message)
            if why is not None:
                await socket.close(why.code, why.why.encode()[:120].decode(errors="ignore"))

    async def _serve(self, socket: WebSocket) -> Leave | None:
        """Serve a stream; gives why the connection is to be closed, None if it is already.

        Raises:
            BadMessage: if the client sent something that cannot be used.
        """
        stream, number, token = await self._open(socket)
        leave = stream.hold()
        self.places.count_them()
        sent_all = False
        reader = asyncio.create_task(_to_its_end(self._read(socket, stream, leave)))
        writer = asyncio.create_task(_to_its_end(self._write(socket, stream, number, token)))
        try:
            await asyncio.wait((leave, reader, writer), return_when=asyncio.FIRST_COMPLETED)
            if leave.done():
                return await self._told(socket, leave.result())
            for task in (writer, reader):
                if task.done():
                    found = task.result()
                    sent_all = found is not None and found.code == 1000
                    return found
            return None
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            if stream.leave is leave:
                self.places.leave(stream, sent_all)

    async def _told(self, socket: WebSocket, why: Leave) -> Leave:
        """Tell a client why it has to leave, if it still reads."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await socket.send_text(text_of({"type": "closed", "code": why.code, "why": why.why}))
        return why

    async def _open(self, socket: WebSocket) -> tuple[Stream, int, str]:
        """The stream that the first message asks for, the message to go on with, and its token.

        Raises:
            BadMessage: if there is no such message, or no such stream.
        """
        seconds = self.places.limits.start_seconds
        try:
            async with asyncio.timeout(seconds):
                message = await socket.receive()
        except TimeoutError as error:
            raise BadMessage(f"No message came for {seconds:g} s.", "send the start at once", 4408) from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        opening = read_opening(message.get("text") or "", self.spec)
        if not self.knows(socket, opening.token):
            raise BadMessage("The token is missing or wrong.", "send it in the start message", 4401)
        if opening.start is None:
            return self.places.resume(opening.resume, opening.after), opening.after + 1, opening.resume
        if opening.start.kind == "jpeg" and self.batcher.labeler.reader is None:
            raise BadMessage("The server has no encoder for pictures.", "send features")
        stream = self.places.open(opening.start)
        return stream, 0, stream.new_token()

    def _ready(self, stream: Stream, token: str) -> dict[str, Value]:
        """The first message to a client."""
        labels, limits = self.batcher.labeler.labels, self.places.limits
        return {
            "type": "ready",
            "resume": token,
            "next": stream.sent,
            "labeled": stream.labeled,
            "dropped": stream.dropped,
            "refused": stream.refused,
            "kind": stream.start.kind,
            "fps": stream.start.fps,
            "waiting": limits.waiting,
            "stall_seconds": limits.stall_seconds,
            "classes": list(labels.names),
            "background": None if labels.background is None else labels.names[labels.background],
            "calibrated": self.calibrated,
        }

    async def _read(self, socket: WebSocket, stream: Stream, leave: asyncio.Future[Leave]) -> Leave | None:
        """Take frames until the client goes."""
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            if leave.done():
                return leave.result()
            data, text = message.get("bytes"), message.get("text")
            if stream.over:
                raise BadMessage("The stream has ended.", "start a new one")
            if data is not None:
                self.batcher.put(stream, data)
                continue
            told = read_object(text or "")
            if told == {"type": "restart"}:
                stream.anew = True
            elif told == {"type": "end"}:
                self.batcher.put(stream, None)
            else:
                raise BadMessage("The message is none of restart and end.", 'send {"type": "end"}, or frames')

    async def _write(self, socket: WebSocket, stream: Stream, number: int, token: str) -> Leave:
        """Send messages from a number on, until the last one."""
        await socket.send_text(text_of(self._ready(stream, token)))
        while True:
            stream.changed.clear()
            kept = stream.messages_from(number)
            if kept is None:
                raise BadMessage(
                    f"More than {self.places.limits.history} messages were not read.", "read them as they come", 4413
                )
            for text in kept:
                await socket.send_text(text)
            number += len(kept)
            if stream.closing is not None and number > stream.closing:
                return Leave(1000, "the stream has ended")
            if number == stream.told:
                await stream.changed.wait()


async def _to_its_end(work: Coroutine[None, None, Leave | None]) -> Leave | None:
    """Await one half of a connection; None where the client has gone."""
    try:
        return await work
    except WebSocketDisconnect:
        return None
