"""The client of a server: streams that come back by themselves, and whole videos."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from gad_lightning.classifiers.detection import Stretch
from gad_lightning.errors import MissingDataError
from gad_lightning.optional import need
from gad_lightning.serving.resuming import AsyncStream, Frame
from gad_lightning.serving.told import ServerError, Told

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")


class AsyncClient:
    """Asks a server.

    Args:
        url: its address, such as ``http://127.0.0.1:8000`` or ``ws://127.0.0.1:8000``.
        token: that it wants; empty for none.
    """

    def __init__(self, url: str, token: str = "") -> None:
        plain = url.rstrip("/").removesuffix("/stream")
        scheme, mark, place = plain.partition("://")
        if not mark or scheme not in ("http", "https", "ws", "wss") or not _has_port(plain):
            raise ServerError("The address is no address of a server.", "write it like http://127.0.0.1:8000")
        safe = "s" if scheme in ("https", "wss") else ""
        self.http, self.ws, self.token = f"http{safe}://{place}", f"ws{safe}://{place}", token

    async def classes(self) -> dict[str, Any]:
        """Names of the classes, frames a second, places for streams, and whether pictures are taken."""
        found: dict[str, Any] = await self._asked("GET", "/classes")
        if not isinstance(found, dict) or "fps" not in found:
            raise ServerError("Another server than that of gad-lightning answers.", "check the address", 0)
        return found

    async def stream(
        self,
        kind: Literal["jpeg", "features"] = "jpeg",
        events: Literal["all", "changes"] = "all",
        probabilities: bool = False,
        retry_seconds: float = 30.0,
    ) -> AsyncStream:
        """Open a stream, at the frames a second that the server labels.

        Args:
            kind: what is sent.
            events: a label for every frame, or for those that change something.
            probabilities: whether a label comes with those of all classes.
            retry_seconds: for which a lost connection is tried again.

        Raises:
            ServerError: if the server has no place, or no encoder for pictures.
        """
        fps = (await self.classes())["fps"]
        start = {"kind": kind, "fps": fps, "events": events, "probabilities": probabilities}
        return await AsyncStream(self.ws, self.token, start, retry_seconds).__aenter__()

    async def detect(self, video: Path | str, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
        """Label a video file, or a .npy file of features.

        Args:
            video: the file.
            progress: called with the frames labeled so far and all of them.

        Returns:
            ``labels``, ``seconds`` and ``probabilities`` of the frames, ``classes``, and ``segments``.

        Raises:
            ServerError: if the server refuses it or cannot label it, or is gone.
            MissingDataError: if there is no such file.
        """
        if not Path(video).is_file():
            raise MissingDataError(f"There is no file {video}.", "check its name")
        kind = "application/x-npy" if Path(video).suffix == ".npy" else "video/x-any"
        job = (await self._asked("POST", "/detect", _parts_of(Path(video)), {"content-type": kind}))["job"]
        try:
            await self._follow(job, progress)
            found: dict[str, Any] = await self._asked("GET", f"/jobs/{job}/result")
        finally:
            with suppress(ServerError):  # it is gone already, or the server is
                await self._asked("DELETE", f"/jobs/{job}")
        return found

    async def _follow(self, job: str, progress: Callable[[int, int], object] | None) -> None:
        """Wait until a video is labeled.

        Raises:
            ServerError: if the server is gone.
        """
        try:
            async with self._client() as client, client.stream("GET", f"/jobs/{job}/events") as answer:
                async for line in answer.aiter_lines():
                    if progress is not None and line.startswith("data: "):
                        told = json.loads(line.removeprefix("data: "))
                        progress(told["labeled"], told["frames"])
        except need("httpx2").HTTPError as error:
            raise ServerError("The server was lost before the video was labeled.", "send it again", 0) from error

    def _client(self) -> httpx2.AsyncClient:
        client: type[httpx2.AsyncClient] = need("httpx2", extra="serve", why="to reach a server").AsyncClient
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return client(base_url=self.http, headers=headers, timeout=60, trust_env=False)

    async def _asked(
        self, method: str, path: str, body: AsyncIterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        try:
            async with self._client() as client:
                answer = await client.request(method, path, content=body, headers=headers)
            told = answer.json() if answer.content else {}
        except (need("httpx2").HTTPError, ValueError) as error:
            raise ServerError("The server gives no answer, or is none.", "check the address", 0) from error
        if answer.status_code >= 400:
            refused = told.get("error") if isinstance(told, dict) else None
            if not isinstance(refused, dict):
                raise ServerError(f"A server answers {answer.status_code}.", "check the address", answer.status_code)
            raise ServerError(refused["why"], refused["remedy"], answer.status_code)
        return told


class _Loop:
    """An event loop in a thread of its own, for those that have none."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        Thread(target=self.loop.run_forever, name="client", daemon=True).start()

    def run(self, work: Coroutine[None, None, T]) -> T:
        """Run to its end, and give what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


class Stream:
    """One stream of a server, from :meth:`Client.stream`; see :class:`AsyncStream`."""

    def __init__(self, stream: AsyncStream, loop: _Loop) -> None:
        self.stream, self.loop = stream, loop

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; a stream that was not ended keeps its place for a while."""
        self.loop.run(self.stream.__aexit__(kind, error, trace))

    def send(self, frame: Frame) -> int:
        """Send a frame without waiting for its label; gives its number."""
        return self.loop.run(self.stream.send(frame))

    def label(self, frame: Frame) -> Told:
        """Send a frame and wait for its label."""
        return self.loop.run(self.stream.label(frame))

    def restart(self) -> None:
        """Let the next frame begin a new stream."""
        self.loop.run(self.stream.restart())

    def end(self) -> tuple[Stretch, ...]:
        """End the stream; gives the events that went on."""
        return self.loop.run(self.stream.end())

    def finish(self) -> None:
        """Say that no frame comes any more: the labels end once all that wait are there."""
        self.loop.run(self.stream.finish())

    def __iter__(self) -> Iterator[Told]:
        """Labels as they come, until the stream has ended."""
        while (told := self.loop.run(self.stream.next())) is not None:
            yield told


class Client:
    """Asks a server, and waits for the answers; see :class:`AsyncClient`.

    Args:
        url: its address, such as ``http://127.0.0.1:8000``.
        token: that it wants; empty for none.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.client, self.loop = AsyncClient(url, token), _Loop()

    def classes(self) -> dict[str, Any]:
        """Names of the classes, frames a second, places for streams, and whether pictures are taken."""
        return self.loop.run(self.client.classes())

    def stream(
        self,
        kind: Literal["jpeg", "features"] = "jpeg",
        events: Literal["all", "changes"] = "all",
        probabilities: bool = False,
        retry_seconds: float = 30.0,
    ) -> Stream:
        """Open a stream; see :meth:`AsyncClient.stream`."""
        return Stream(self.loop.run(self.client.stream(kind, events, probabilities, retry_seconds)), self.loop)

    def detect(self, video: Path | str, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
        """Label a video file, or a .npy file of features; see :meth:`AsyncClient.detect`."""
        return self.loop.run(self.client.detect(video, progress))


def _has_port(url: str) -> bool:
    """Whether the port of an address, if it has one, can be."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


async def _parts_of(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(1 << 16):
            yield part
