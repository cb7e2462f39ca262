"""Decodes videos ahead of whoever needs the pictures: in a thread, or in processes that can be killed."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gad_lightning.errors import GadError
from gad_lightning.parts import Spec
from gad_lightning.rebuilding import rebuild
from gad_lightning.video.base import Picture, Resize
from gad_lightning.video.damage import Broken
from gad_lightning.video.decode import DecodeReport, VideoFile

Prepare = Callable[[Picture], Picture]
START_PATIENCE = 300.0
"""Seconds that a decoding process may take to import what it needs; not counted as a stall."""
PULSE = 0.1
"""Seconds after which a decoding process says again that it decodes, until it has enough pictures to hand over."""


class DecodeTask(NamedTuple):
    """One video to decode."""

    number: int
    path: Path
    fps: float
    resize: Resize | None
    broken: Broken
    piece: int  # pictures a piece
    deinterlace: bool = False


class Piece(NamedTuple):
    """Some pictures of a video, in order."""

    number: int  # of the task
    pictures: Picture  # (n, h, w, 3) uint8


class End(NamedTuple):
    """A video is through: ``why`` says why there is nothing to use."""

    number: int
    report: DecodeReport | None
    why: str | None


Message = Piece | End


def decode_pieces(
    task: DecodeTask, prepare: Prepare | None, decoded: Callable[[], None] | None = None
) -> Iterator[Message]:
    """Decode one video into pieces and an end; an unusable file ends with the reason instead of raising.

    Args:
        task: what to decode.
        prepare: called with every new picture.
        decoded: called after every decoded frame, given or not.
    """
    file = VideoFile(task.path, task.fps, task.resize, task.broken, task.deinterlace)
    file.decoded = decoded or file.decoded
    ready: list[Picture] = []
    shown: Picture | None = None
    try:
        for _, picture in file:
            if shown is None or picture is not shown:
                shown, prepared = picture, picture if prepare is None else prepare(picture)
            if len(ready) == task.piece or (ready and ready[0].shape != prepared.shape):
                yield Piece(task.number, np.stack(ready))
                ready = []
            ready.append(prepared)
    except GadError as error:
        yield End(task.number, file.report, error.message)
        return
    yield Piece(task.number, np.stack(ready))
    yield End(task.number, file.report, None)


class ChildDecoder:
    """A process that decodes; it is killed and replaced when it crashes or stalls.

    A file can make a decoder crash or turn for ever inside C code, where no exception and no signal reaches it.

    Args:
        encoder: spec of the encoder whose ``prepare`` runs there, or None if pictures stay as decoded.
        patience: seconds without a decoded picture after which a file counts as stuck.
    """

    def __init__(self, encoder: Spec | None, patience: float) -> None:
        self.encoder = encoder
        self.patience = patience
        self.child: multiprocessing.process.BaseProcess | None = None
        self.lock = threading.Lock()  # a process that is being started cannot be killed
        self.killed = False

    def start(self) -> Connection:
        """Start the process unless it runs."""
        if self.child is None:
            with self.lock:
                if self.killed:
                    raise ConnectionError
                self.pipe, there = multiprocessing.Pipe()
                context = multiprocessing.get_context("spawn")  # forked, it could inherit a lock that nobody opens
                child = context.Process(target=_serve, args=(there, self.encoder), daemon=True)
                child.start()
                self.child = child
            there.close()
            if self.pipe.poll(START_PATIENCE):
                self.pipe.recv()
        return self.pipe

    def run(self, task: DecodeTask) -> Iterator[Message]:
        """Decode one video there; its pieces and its end."""
        try:
            self.start().send(task)
            while self.pipe.poll(self.patience):
                message: Message | None = self.pipe.recv()
                if message is not None:
                    yield message
                if isinstance(message, End):
                    return
            why = f"{task.path} gave nothing for {self.patience:g} s."
        except (EOFError, ConnectionError):
            why = f"{task.path} made the decoder crash."
        self.stop()
        yield End(task.number, None, why)

    def kill(self) -> None:
        """End the process, whatever it is doing, for good; may be called from another thread."""
        with self.lock:
            self.killed = True
            if self.child is not None:
                self.child.kill()

    def stop(self) -> None:
        """End the process and forget it; the next task starts another."""
        with self.lock:
            child, self.child = self.child, None
        if child is not None:
            child.kill()
            child.join()
            self.pipe.close()


def _serve(pipe: Connection, encoder: Spec | None) -> None:
    """Decode what the pipe asks for until it closes: what the child process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    prepare: Prepare | None = None
    if encoder is not None:
        prepare = rebuild(encoder, (encoder["class_path"].split(".")[0],)).prepare
    last = time.monotonic()

    def tell_alive() -> None:
        """Send a sign of life, not too often."""
        nonlocal last
        if time.monotonic() - last > PULSE:
            last = time.monotonic()
            pipe.send(None)

    try:
        pipe.send("ready")
        while True:
            for message in decode_pieces(pipe.recv(), prepare, tell_alive):
                pipe.send(message)
    except (EOFError, ConnectionError):
        return  # the parent is gone


class ThreadDecoder:
    """Decodes in the thread that asks; PyAV lets other threads run meanwhile."""

    def __init__(self, prepare: Prepare | None) -> None:
        self.prepare = prepare

    def run(self, task: DecodeTask) -> Iterator[Message]:
        """Decode one video; its pieces and its end."""
        return decode_pieces(task, self.prepare)

    def kill(self) -> None:
        """Nothing to kill."""

    def stop(self) -> None:
        """Nothing to stop."""


class Ahead:
    """Runs decoders in threads of their own and hands over what they give, up to ``depth`` pieces ahead of the reader.

    Args:
        decoders: each takes the next task as soon as it is free.
        tasks: every one ends in exactly one :class:`End`.
        depth: pieces that wait to be read.
    """

    def __init__(
        self, decoders: Sequence[ThreadDecoder | ChildDecoder], tasks: Sequence[DecodeTask], depth: int = 8
    ) -> None:
        self.decoders = decoders
        self.tasks: queue.SimpleQueue[DecodeTask] = queue.SimpleQueue()
        for task in tasks:
            self.tasks.put(task)
        self.left = len(tasks)
        self.ready: queue.Queue[Message | BaseException] = queue.Queue(depth)
        self.stopped = threading.Event()

    def __iter__(self) -> Iterator[Message]:
        """Yield pieces and ends of all tasks; those of one video in order, those of several interleaved."""
        threads = [threading.Thread(target=self._work, args=(decoder,), daemon=True) for decoder in self.decoders]
        for thread in threads:
            thread.start()
        try:
            while self.left:
                message = self.ready.get()
                if isinstance(message, BaseException):
                    raise message
                self.left -= isinstance(message, End)
                yield message
        finally:
            self.stopped.set()
            for decoder in self.decoders:
                decoder.kill()
            for thread in threads:
                thread.join(timeout=5)

    def _work(self, decoder: ThreadDecoder | ChildDecoder) -> None:
        try:
            while not self.stopped.is_set():
                for message in decoder.run(self.tasks.get_nowait()):
                    self._hand_over(message)
                    if self.stopped.is_set():
                        return
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that reads
            self._hand_over(error)
        finally:
            decoder.stop()

    def _hand_over(self, message: Message | BaseException) -> None:
        while not self.stopped.is_set():
            try:
                return self.ready.put(message, timeout=0.2)
            except queue.Full:
                continue
