"""Gathers the frames of all streams into micro-batches, and tells each stream what was seen in its frame."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gad_lightning.decisions.path import Event
from gad_lightning.serving.labeling import Labeler, Seen
from gad_lightning.serving.messages import Value
from gad_lightning.serving.stream import Leave, Stream, Waiting

WAIT_SECONDS = 0.005
"""How long a frame waits for those of other streams, at most."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Figures:
    """Counters and histograms of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.places = Gauge("gad_places", "Streams that there is room for", registry=own)
        self.open = Gauge("gad_streams_open", "Streams with a connection", registry=own)
        self.kept = Gauge("gad_streams_kept", "Streams without one, which may be resumed", registry=own)
        self.waiting = Gauge("gad_frames_waiting", "Frames that wait to be labeled", registry=own)
        self.labeled = Counter("gad_frames_labeled", "Frames that were labeled", registry=own)
        self.dropped = Counter("gad_frames_dropped", "Frames that were lost to newer ones", registry=own)
        self.refused = Counter("gad_frames_refused", "Frames that could not be used", registry=own)
        self.full = Counter("gad_streams_refused", "Streams that found no place", registry=own)
        self.stalled = Counter("gad_streams_stalled", "Streams that were closed as no frame came", registry=own)
        self.jobs = Counter("gad_jobs", "Videos that were labeled, or not", ["state"], registry=own)
        self.step = Histogram("gad_step_seconds", "Of one step of the detector", buckets=SECONDS, registry=own)
        self.latency = Histogram("gad_latency_seconds", "From frame to label", buckets=SECONDS, registry=own)
        self.batch = Histogram("gad_batch_frames", "Labeled in one step", buckets=BATCHES, registry=own)

    def text(self) -> bytes:
        """All of them in the text format of Prometheus."""
        return generate_latest(self.registry)


class Batcher:
    """Labels the frames that wait, one of each stream at a time; it lives in the server's event loop.

    Args:
        labeler: is called in a thread of its own.
        figures: take what happens.
    """

    def __init__(self, labeler: Labeler, figures: Figures) -> None:
        self.labeler, self.figures = labeler, figures
        self.worker = ThreadPoolExecutor(1, "labels")
        self.pending: dict[int, Stream] = {}
        self.open = 0
        self.wanted = asyncio.Event()
        self.stopping = False
        self.task: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Whether frames are labeled."""
        return self.task is not None and not self.task.done()

    @property
    def failed(self) -> bool:
        """Whether the labeling has ended with an error."""
        task = self.task
        return task is not None and task.done() and (task.cancelled() or task.exception() is not None)

    def begin(self) -> None:
        """Label from now on."""
        self.task = asyncio.create_task(self._run(), name="labels")

    async def stop(self) -> None:
        """Label what waits, then no more.

        Raises:
            Exception: what the labeling failed with.
        """
        self.stopping = True
        self.wanted.set()
        if self.task is not None:
            await self.task
        self.worker.shutdown()

    def put(self, stream: Stream, data: bytes | None) -> None:
        """Take the next frame of a stream, or its end."""
        self.figures.dropped.inc(stream.put(data))
        self.pending[stream.place] = stream
        self.wanted.set()

    def forget(self, stream: Stream) -> None:
        """Label no more of a stream."""
        if self.pending.get(stream.place) is stream:
            del self.pending[stream.place]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self.pending or not self.stopping:
                self.wanted.clear()
                if not (due := await self._gather()):
                    await self.wanted.wait()
                    continue
                taken = [(stream, stream.take(time.monotonic())) for stream in due]
                for stream in due:
                    if not stream.waiting:
                        self.forget(stream)
                began = time.monotonic()
                rows = [(stream.place, stream.start, frame) for stream, frame in taken]
                seen = await loop.run_in_executor(self.worker, self.labeler.look, rows)
                self.figures.step.observe(time.monotonic() - began)
                self.figures.batch.observe(len(rows))
                for (stream, frame), one in zip(taken, seen, strict=True):
                    self._tell(stream, frame, one)
                self.figures.waiting.set(sum(len(stream.waiting) for stream in self.pending.values()))
        finally:
            for stream in self.pending.values():  # there are some only if the labeling failed
                stream.dismiss(Leave(1011, "the server cannot label any more"))

    async def _gather(self) -> list[Stream]:
        """Streams with a frame that is due, once all have one or the oldest has waited for long enough."""
        while self.pending:
            now = time.monotonic()
            due = [stream for stream in self.pending.values() if stream.earliest <= now]
            if not due:
                await asyncio.sleep(min(stream.earliest for stream in self.pending.values()) - now)
                continue
            left = WAIT_SECONDS - (now - min(stream.waiting[0].arrived for stream in due))
            if len(due) >= self.open or left <= 0 or self.stopping:
                return due
            await asyncio.sleep(left)
        return []

    def _tell(self, stream: Stream, frame: Waiting, seen: Seen) -> None:
        """Tell a stream what was seen in a frame of it."""
        fps = stream.start.fps
        place: dict[str, Value] = {"frame": frame.number, "seconds": frame.number / fps}
        # what the place showed before a new stream's first frame is another stream's, and nobody's any more
        cut = [self._event(stream, event, stream.last + 1) for event in seen.cut if event.label in stream.since]
        if frame.data is None:
            stream.tell("end", {"ended": cut})
        elif seen.refused:
            stream.refused += 1
            self.figures.refused.inc()
            stream.tell("refused", {**place, "why": seen.refused, "ended": cut})
        else:
            stream.labeled += 1
            self.figures.labeled.inc()
            self.figures.latency.observe(time.monotonic() - frame.arrived)
            ended = [*cut, *(self._event(stream, event, frame.number) for event in seen.ended)]
            stream.since |= {event.label: frame.number for event in seen.started}
            started = [self._event(stream, event, frame.number + 1, ends=False) for event in seen.started]
            stream.last = frame.number
            if stream.start.events == "all" or started or ended or stream.lost:
                told: dict[str, Value] = {"label": seen.label, "score": seen.score, "likeliest": seen.likeliest}
                told |= {"probabilities": seen.probabilities} if stream.start.probabilities else {}
                told |= {} if seen.rejection is None else {"rejection": seen.rejection}
                stream.tell("label", {**place, **told, "started": started, "ended": ended})

    def _event(self, stream: Stream, event: Event, end: int, ends: bool = True) -> dict[str, Value]:
        """An event with names, in seconds of the stream's own frames, lost ones counted."""
        names, fps = self.labeler.names, stream.start.fps
        start = stream.since.pop(event.label) if ends else stream.since[event.label]
        return {
            "label": names[event.label],
            "start_seconds": start / fps,
            "end_seconds": end / fps,
            "score": event.score,
            "set": [names[index] for index in event.set],
        }
