"""The server: its end points, and what runs beside them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from gad_lightning import __version__
from gad_lightning.errors import SettingError
from gad_lightning.serving.batching import Batcher, Figures
from gad_lightning.serving.fetching import fetched
from gad_lightning.serving.guard import NAMES, Guard, refusal
from gad_lightning.serving.jobs import Jobs
from gad_lightning.serving.keeping import load_streams, save_streams
from gad_lightning.serving.labeling import Labeler
from gad_lightning.serving.limits import Limits
from gad_lightning.serving.messages import BadMessage, text_of
from gad_lightning.serving.openapi import description
from gad_lightning.serving.places import Places
from gad_lightning.serving.results import as_csv, as_json, as_vtt
from gad_lightning.serving.socket import StreamSocket
from gad_lightning.streaming.detector import OnlineDetector

LOOK_SECONDS = 1.0
"""How often the server looks for streams that stall and results that are old."""
KEEP_ALIVE_SECONDS = 15.0
"""After which server-sent events say that nothing has changed."""
PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}


class Server:
    """Serves one detector.

    Args:
        detector: of as many streams as there are places.
        limits: of what clients send.
        token: that they have to send; empty for none.
        hosts: names that the server goes by, beside this machine's own; None for any.
        urls: beginnings of the URLs that it may fetch videos from.
        state: file that streams are kept in when it stops, and taken from when it starts; None for nothing.
    """

    def __init__(
        self,
        detector: OnlineDetector,
        limits: Limits | None = None,
        token: str = "",
        hosts: frozenset[str] | None = frozenset(),
        urls: tuple[str, ...] = (),
        state: Path | None = None,
    ) -> None:
        self.detector, self.limits = detector, limits or Limits()
        self.token, self.urls, self.state = token, list(urls), state
        self.figures = Figures()
        self.batcher = Batcher(Labeler(detector, self.limits.frame_pixels), self.figures)
        self.places = Places(detector.num_streams, self.limits, self.batcher)
        self.jobs = Jobs(detector.classifier, detector.task, detector.encoder, self.limits, self.figures)
        self.give_up: Callable[[], None] = lambda: None
        stream = StreamSocket(
            self.places,
            self.batcher,
            detector.classifier.schema.features,
            self._knows,
            detector.events.calibrated,
        )
        app = Starlette(routes=self._routes(stream), lifespan=self._alive, exception_handlers=HANDLERS)
        self.guard = Guard(app, token, hosts)

    def take_up(self) -> None:
        """Take up the streams that were kept; before the server runs.

        Raises:
            SettingError: if their file could not be written at the end.
            CheckpointError: if it cannot be used.
        """
        if self.state is not None and (self.state.is_dir() or not os.access(self.state.absolute().parent, os.W_OK)):
            raise SettingError(f"{self.state} cannot be written.", "name a file in a writable folder as --state")
        if self.state is not None and self.state.is_file():
            load_streams(self.state, self.places)

    def _routes(self, stream: StreamSocket) -> list[Route | WebSocketRoute]:
        ends: dict[str, tuple[str, Callable[[Request], Awaitable[Response]]]] = {
            "/health": ("GET", self._health),
            "/ready": ("GET", self._ready),
            "/metrics": ("GET", self._metrics),
            "/classes": ("GET", self._classes),
            "/openapi.json": ("GET", self._openapi),
            "/detect": ("POST", self._detect),
            "/jobs/{job}/events": ("GET", self._events),
            "/jobs/{job}/result": ("GET", self._result),
        }
        routes = [Route(path, end, methods=[method]) for path, (method, end) in ends.items()]
        routes += [Route(path, _page, methods=["GET"]) for path in PAGE]
        routes.append(Route("/jobs/{job}", self._job, methods=["GET", "DELETE"]))
        return [*routes, WebSocketRoute("/stream", stream.connect)]

    def _knows(self, socket: WebSocket, token: str) -> bool:
        return self.guard.knows(socket.headers, token)

    @asynccontextmanager
    async def _alive(self, app: Starlette) -> AsyncIterator[None]:
        """Label, and keep the streams at the end."""
        self.batcher.begin()
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await self.jobs.stop()
            await self.batcher.stop()
            if self.state is not None:
                save_streams(self.state, self.places)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.places.look()
            self.jobs.look()
            if not self.batcher.healthy:
                self.give_up()

    async def _health(self, request: Request) -> Response:
        if not self.batcher.healthy:
            raise BadMessage("The labeling has failed.", "start the server anew; its log has the reason", 503)
        return JSONResponse({"state": "healthy"})

    async def _ready(self, request: Request) -> Response:
        if not self.batcher.healthy or self.batcher.open >= self.places.count:
            raise BadMessage("There is no place for a stream.", "try again later", 503)
        return JSONResponse({"state": "ready"})

    async def _metrics(self, request: Request) -> Response:
        return Response(self.figures.text(), media_type="text/plain; version=0.0.4")

    async def _classes(self, request: Request) -> Response:
        labels, fps = self.batcher.labeler.labels, self.detector.classifier.schema.features.fps
        pictures = self.detector.encoder is not None
        return JSONResponse({"classes": labels.names, "fps": fps, "streams": self.places.count, "pictures": pictures})

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(description(__version__, bool(self.token)))

    async def _detect(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self.limits.body_mb * 1e6:
            raise BadMessage(f"The video is larger than {self.limits.body_mb:g} MB.", "send a smaller one", 413)
        if self.detector.encoder is None and kind != "application/x-npy":
            raise BadMessage("The server has no encoder for videos.", "send features as application/x-npy", 415)
        if kind == "application/json":
            async with asyncio.timeout(self.limits.start_seconds):
                url = await _url_of(request)
            name = await self.jobs.take(fetched(url, self.urls), "video")
        elif kind.startswith("video/"):
            name = await self.jobs.take(request.stream(), "video")
        elif kind == "application/x-npy":
            name = await self.jobs.take(request.stream(), "features")
        else:
            raise BadMessage(
                "The type of the content is none that can be labeled.",
                "send a video as video/mp4 (or video/...), features as application/x-npy",
                415,
            )
        return JSONResponse(self.jobs.get(name).facts(name), 202, {"location": f"/jobs/{name}"})

    async def _job(self, request: Request) -> Response:
        name = request.path_params["job"]
        if request.method == "DELETE":
            self.jobs.remove(name)
            return Response(status_code=204)
        return JSONResponse(self.jobs.get(name).facts(name))

    async def _events(self, request: Request) -> Response:
        name = request.path_params["job"]
        job = self.jobs.get(name)

        async def told() -> AsyncIterator[str]:
            while True:
                job.changed.clear()
                over = job.over or job.canceled
                yield f"event: progress\ndata: {text_of(job.facts(name))}\n\n"
                if over:
                    return
                try:
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        await job.changed.wait()
                except TimeoutError:
                    yield ": nothing new\n\n"

        return StreamingResponse(told(), media_type="text/event-stream")

    async def _result(self, request: Request) -> Response:
        job, wanted = self.jobs.get(request.path_params["job"]), request.query_params.get("format", "json")
        if wanted not in ("json", "csv", "vtt"):
            raise BadMessage("format is one of json, csv, vtt.", "leave it out for json", 400)
        if (found := job.detection) is None:
            raise BadMessage(job.why or "There is no result yet.", "follow /jobs/JOB/events", 409)
        if wanted == "json":
            names = self.batcher.labeler.labels.names
            return Response(await asyncio.to_thread(as_json, found, names), media_type="application/json")
        return Response(as_csv(found) if wanted == "csv" else as_vtt(found), media_type=f"text/{wanted}")


async def _url_of(request: Request) -> str:
    """The URL that a body of JSON names.

    Raises:
        BadMessage: if it names none.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > 4096:
            raise BadMessage("The JSON is longer than 4096 bytes.", 'send {"url": "..."}', 413)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or set(found) != {"url"} or not isinstance(found["url"], str):
        raise BadMessage("The JSON names no URL.", 'send {"url": "..."}', 400)
    return found["url"]


async def _page(request: Request) -> Response:
    name, kind = PAGE[request.url.path]
    return Response((files("gad_lightning.serving") / "page" / name).read_bytes(), media_type=f"{kind}; charset=utf-8")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadMessage)
    return refusal(error)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    why = NAMES.get(error.status_code, "refused").replace("_", " ")
    answer = refusal(BadMessage(f"The request is refused: {why}.", "see /openapi.json", error.status_code))
    answer.headers.update(error.headers or {})
    return answer


async def _gone(request: Request, error: Exception) -> Response:
    return refusal(BadMessage("The body was cut off.", "send it whole", 400))


async def _late(request: Request, error: Exception) -> Response:
    return refusal(BadMessage("The body came too slowly.", "send it at once", 408))


HANDLERS = {TimeoutError: _late, BadMessage: _refused, HTTPException: _unknown, ClientDisconnect: _gone}
