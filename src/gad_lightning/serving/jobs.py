"""Whole videos that clients send: kept on disk until they are labeled, one at a time, beside the streams."""

from __future__ import annotations

import asyncio
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from starlette.requests import ClientDisconnect

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.detection import Detection
from gad_lightning.errors import DataError, GadError
from gad_lightning.serving.batching import Figures
from gad_lightning.serving.limits import Limits
from gad_lightning.serving.messages import BadMessage, Value
from gad_lightning.video.encoders import Encoder

BATCH = 4
"""Windows or chunks of a video between which streams have their turn."""
State = Literal["waiting", "labeling", "done", "failed"]
Kind = Literal["video", "features"]


class Job:
    """One video.

    Args:
        path: where it lies until it is labeled.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: State = "waiting"
        self.labeled = self.frames = 0
        self.why = ""
        self.detection: Detection | None = None
        self.changed = asyncio.Event()
        self.finished = 0.0
        self.canceled = False

    @property
    def over(self) -> bool:
        """Whether nothing more will change."""
        return self.state in ("done", "failed")

    def facts(self, name: str) -> dict[str, Value]:
        """What a client is told."""
        told: dict[str, Value] = {"job": name, "state": self.state, "labeled": self.labeled, "frames": self.frames}
        return {**told, "why": self.why} if self.why else told


class _OutOfTime(Exception):
    """A video took too long, or is wanted no more."""


class Jobs:
    """The videos of a server.

    Args:
        classifier: labels them.
        task: index into its tasks.
        encoder: for video files.
        limits: of the server.
        figures: take what happens.
    """

    def __init__(
        self, classifier: Classifier, task: int, encoder: Encoder | None, limits: Limits, figures: Figures
    ) -> None:
        self.classifier, self.task, self.encoder = classifier, task, encoder
        self.limits, self.figures = limits, figures
        self.found: dict[str, Job] = {}
        self.arriving = 0
        self.worker = ThreadPoolExecutor(1, "videos")
        self.folder = tempfile.TemporaryDirectory(prefix="gad-lightning-")
        self.tasks: set[asyncio.Task[None]] = set()

    async def take(self, body: AsyncIterator[bytes], kind: Kind) -> str:
        """Keep a video that arrives, to be labeled; gives its name.

        Raises:
            BadMessage: if there is no room, or it is too large, too slow, cut off, or empty.
        """
        self.look()
        full = len(self.found) + self.arriving >= self.limits.jobs
        if full and (over := [(job.finished, name) for name, job in self.found.items() if job.over]):
            del self.found[min(over)[1]]
        elif full:
            raise BadMessage(f"{self.limits.jobs} videos wait or are labeled.", "try again later", 503)
        name = secrets.token_urlsafe(18)
        path = Path(self.folder.name) / (f"{name}.npy" if kind == "features" else name)
        self.arriving += 1
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                await self._write(body, path)
        except (BadMessage, OSError, ClientDisconnect, asyncio.CancelledError) as error:
            path.unlink(missing_ok=True)
            if isinstance(error, TimeoutError):
                why = f"The video took longer than {self.limits.body_seconds:g} s."
                raise BadMessage(why, "send less", 408) from error
            if isinstance(error, OSError):
                raise BadMessage("The server's disk does not take the video.", "try again later", 503) from error
            raise
        finally:
            self.arriving -= 1
        job = self.found[name] = Job(path)
        task = asyncio.create_task(self._label(job))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return name

    async def _write(self, body: AsyncIterator[bytes], path: Path) -> None:
        size = 0
        with path.open("xb") as file:
            async for part in body:
                size += len(part)
                if size > self.limits.body_mb * 1e6:
                    raise BadMessage(f"The video is larger than {self.limits.body_mb:g} MB.", "send a smaller one", 413)
                file.write(part)
        if not size:
            raise BadMessage("The body is empty.", "send the file as the body", 400)

    async def _label(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        try:
            job.detection = await loop.run_in_executor(self.worker, self._detect, job, loop)
            job.state = "done"
            job.labeled = job.frames = len(job.detection.labels)
        except GadError as error:
            job.state, job.why = "failed", without_paths(error.message, job.path)
        except _OutOfTime:
            job.state, job.why = "failed", f"It took longer than {self.limits.job_seconds:g} s."
        finally:
            if not job.over:
                job.state, job.why = "failed", "The server could not label it."
            job.path.unlink(missing_ok=True)
            job.finished = time.monotonic()
            self.figures.jobs.labels(job.state).inc()
            job.changed.set()

    def _detect(self, job: Job, loop: asyncio.AbstractEventLoop) -> Detection:
        """Label a video, in a thread of its own.

        Raises:
            DataError: if the video cannot be read or labeled.
            _OutOfTime: if that takes too long, or nobody wants it any more.
        """
        latest = time.monotonic() + self.limits.job_seconds

        def note(labeled: int, frames: int) -> None:
            job.state, job.labeled, job.frames = "labeling", labeled, frames
            loop.call_soon_threadsafe(job.changed.set)
            if job.canceled or time.monotonic() > latest:
                raise _OutOfTime

        note(0, 0)
        found = self.classifier.detect(job.path, task=self.task, batch_size=BATCH, encoder=self.encoder, progress=note)
        if bool(found.probabilities.isnan().any()):
            raise DataError("The features are too large for the classifier.", "make them again")
        return found

    def get(self, name: str) -> Job:
        """Find a video by its name.

        Raises:
            BadMessage: if there is none.
        """
        if name not in self.found:
            raise BadMessage("There is no such job (any more).", "send the video again", 404)
        return self.found[name]

    def remove(self, name: str) -> None:
        """Forget a video; one that is being labeled ends at its next batch.

        Raises:
            BadMessage: if there is none.
        """
        job = self.get(name)
        job.canceled = True
        if job.state == "waiting":  # behind others, for long: videos sent and forgotten would fill the disk
            job.path.unlink(missing_ok=True)
        del self.found[name]

    def look(self) -> None:
        """Forget results that were kept for long enough."""
        oldest = time.monotonic() - self.limits.keep_seconds
        for name in [name for name, job in self.found.items() if job.over and job.finished < oldest]:
            del self.found[name]

    async def stop(self) -> None:
        """Give all of them up, and leave no file."""
        for job in self.found.values():
            job.canceled = True
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.worker.shutdown()
        self.folder.cleanup()


def without_paths(text: str, path: Path) -> str:
    """A message as a client may read it: it names no place on the server.

    Example:
        >>> without_paths("/tmp/a/b is no video; see /etc/hosts.", Path("/tmp/a/b"))
        'the video is no video; see ***'
    """
    return re.sub(r"(?:[A-Za-z]:)?[\\/][\w.~-]+(?:[\\/][\w.~-]+)+", "***", text.replace(str(path), "the video"))
