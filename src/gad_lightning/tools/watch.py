"""Label a camera, a URL or a video file live, in the terminal and in a log."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from gad_lightning.backbones.weights.light import Weights
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.detection import Stretch
from gad_lightning.decisions.handing_over import HandedOver, HandOver, WrittenText
from gad_lightning.decisions.smoothing import Smoothing
from gad_lightning.errors import GadError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.schema import SEPARATOR, DataSchema
from gad_lightning.serving.limits import TOKEN
from gad_lightning.serving.remote import RESIZE, RemoteWatcher
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gates.base import Gate
from gad_lightning.streaming.journal import Journal
from gad_lightning.streaming.pacing import every, newest
from gad_lightning.streaming.screen import Screen
from gad_lightning.streaming.watching import Sighting, Watcher
from gad_lightning.tools.chosen import chosen_device, task_index
from gad_lightning.video.address import Address, address_of
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.live import LiveSource, Notice

AnyWatcher = Watcher | RemoteWatcher
"""Of one's own, or of a server."""


def main(
    source: str,
    *,
    checkpoint: str | Path,
    log: Path | None = None,
    encoder: Encoder | None = None,
    task: str | None = None,
    every_frame: bool = False,
    gap_seconds: float = 2.0,
    min_seconds: float = 0.0,
    hysteresis: tuple[float, float] | None = None,
    device: str = "auto",
    compiled: bool = False,
    weights: Weights | None = None,
    hand_over: HandOver | None = None,
    gate: Gate | None = None,
    allowed: list[str] | None = None,
    **reading: Any,
) -> None:
    """Label what a camera, a URL or a video file shows, live; Ctrl-C ends it.

    Args:
        source: camera, camera:1 or camera:NAME; a URL (rtsp, http, https, rtmp, udp, tcp, srt); or a video file.
        checkpoint: of a trained classifier: .ckpt file or its URL, folder of save_pretrained, or name on the hub. Or
            the ws:// address of a server, which then labels; its token is that in GAD_LIGHTNING_TOKEN.
        log: file of JSON lines: labels with times, score, entropy and drops; alarms, events; words; notices.
        encoder: that the features were made with; needed if it is not the built-in one.
        task: name of what is asked, for classifiers with several; the first by default.
        every_frame: let a file wait, as long as ``pace`` lets it; else frames that come too late are dropped, counted.
        gap_seconds: after a longer time without a frame the stream begins anew; after a shorter one it goes on.
        min_seconds: a label is shown once it has lasted so long; this and ``hysteresis`` replace the calibration.
        hysteresis: two probabilities, such as [0.6,0.3]: a class is shown from the first up, until below the second.
        device: cpu, cuda, mps, or auto for what is there.
        compiled: compile the language model first, for half a minute; needs a C++ compiler on a CPU.
        weights: int8 or int4 holds frozen layers so, on a CPU: more frames a second.
        hand_over: how stretches that stay unknown are put into words, such as --hand_over.min_seconds=2.
        gate: which frames need all layers, such as gad_lightning.EventGate of ``fit-gate``; all do if None.
        allowed: further packages whose classes the checkpoint may name, such as your own with a head.
        **reading: see :class:`LiveSource`.
    """
    address = address_of(source).check_there()  # before a classifier is loaded
    if str(checkpoint).startswith(("ws://", "wss://")):
        own = (encoder, task, hysteresis, hand_over, weights, gate, min_seconds or None, compiled or None)
        return _watch_by(str(checkpoint), address, log, every_frame, gap_seconds, any(own), reading)
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    made = Classifier.from_pretrained(checkpoint, None, chosen_device(device), packages, weights)
    schema, asked = made.schema, task_index(made.schema, task)
    smoothing = _smoothing_of(min_seconds, hysteresis, schema, asked)
    watcher = Watcher(_detector_of(made, asked, compiled, hand_over, smoothing, gate), encoder, gap_seconds, smoothing)
    _show(watcher, LiveSource(address, schema.features.fps, resize=watcher.encoder.shrink, **reading), log, every_frame)


def _show(watcher: AnyWatcher, frames: LiveSource, log: Path | None, every_frame: bool) -> None:
    """Label a source, on the screen and in the log."""
    screen = Screen(Console(), watcher.names, frames.address.shown)
    with Journal(log) as journal:
        _watch(watcher, frames, journal, screen, every_frame)


def _watch_by(
    url: str,
    address: Address,
    log: Path | None,
    every_frame: bool,
    gap_seconds: float,
    own: bool,
    reading: dict[str, Any],
) -> None:
    """Let a server label a source.

    Raises:
        SettingError: if it is to be done otherwise than the server does it (``own``).
    """
    if own:
        raise SettingError(
            "The server decides on encoder, task, smoothing, compiling, weights, words and gate.",
            "leave out --encoder, --task, --min_seconds, --hysteresis, --compiled, --weights, --gate and --hand_over",
        )
    watcher = RemoteWatcher(url, os.environ.get(TOKEN, ""), gap_seconds)
    try:
        _show(watcher, LiveSource(address, watcher.fps, **{"resize": RESIZE, **reading}), log, every_frame)
    finally:
        watcher.close()


def _detector_of(
    classifier: Classifier,
    task: int,
    compiled: bool,
    hand_over: HandOver | None,
    smoothing: Smoothing | None,
    gate: Gate | None,
) -> OnlineDetector:
    """A detector of one stream, its LoRA merged unless the language model without it is to be asked too.

    Smoothing takes the place of the classifier's decisions, so these are dropped: a live stream may not even have them.
    """
    if smoothing is not None:
        classifier.decisions = {}
    merge = classifier.backbone.mergeable and not (hand_over is not None and hand_over.from_base)
    return OnlineDetector(classifier, merge=merge, task=task, compiled=compiled, hand_over=hand_over, gate=gate)


def _smoothing_of(
    min_seconds: float, hysteresis: tuple[float, float] | None, schema: DataSchema, task: int
) -> Smoothing | None:
    """The smoothing that the user wants; None for the classifier's own decisions.

    Raises:
        SettingError: if the time is below 0.
    """
    if not min_seconds >= 0:
        raise SettingError(f"min_seconds must be 0 or more, got {min_seconds}.", "use 0 to show every label at once")
    if min_seconds == 0 and hysteresis is None:
        return None
    frames = max(1, math.ceil(min_seconds * schema.features.fps - 1e-6))
    return Smoothing(frames, hysteresis, schema.tasks[task].labels.background)


def _watch(watcher: AnyWatcher, frames: LiveSource, journal: Journal, screen: Screen, every_frame: bool) -> None:
    """Label a source until it ends or is stopped, by Ctrl-C or SIGTERM.

    Args:
        watcher: labels frames.
        frames: the source.
        journal: takes what happens.
        screen: shows it.
        every_frame: wait for the detector instead of dropping frames; for files.

    Raises:
        SettingError: if a live source would have to wait.
        GadError: if the source cannot be opened or is given up.
    """
    if every_frame and frames.address.kind != "file":
        raise SettingError(f"{frames.address} does not wait, so every_frame cannot be kept.", "leave every_frame out")
    if every_frame and frames.pace == "auto":
        frames.pace = "arrival"
    if isinstance(watcher, Watcher) and (drift := watcher.detector.drift):
        screen.say(f"LoRA merged: rounding changed a weight matrix by {drift:.1e} of its size at most")

    def tell(notice: Notice) -> None:
        """Write a notice of the source to the log and the screen."""
        journal.write(notice.event, source=frames.address.shown, why=notice.why)
        screen.say(f"{notice.event}: {notice.why}")

    frames.tell = tell
    arrivals = every(frames) if every_frame else newest(frames, frames.stopped)
    with _stopped_by_signals(frames.stop), screen.drawn():
        try:
            for arrival in arrivals:
                sighting = watcher.look(arrival)
                screen.see(sighting)
                journal.write("label", **_line_of(sighting))
                if sighting.words is not None:
                    journal.write("words", **_words_of(sighting.words))
                if watcher.calibrated:
                    _write_events(journal, "event", sighting.ended)
                    _write_events(journal, "alarm", sighting.started)
        except GadError as error:
            journal.write("failed", why=error.message)
            raise
        finally:
            frames.stop()
            arrivals.close()
            _close(watcher, journal, screen)


def _close(watcher: AnyWatcher, journal: Journal, screen: Screen) -> None:
    """End the stream, in the log and on the screen."""
    if watcher.calibrated:
        _write_events(journal, "event", watcher.close())
    dropped = 0 if screen.sighting is None else screen.sighting.dropped
    share = watcher.detector.whole_share if isinstance(watcher, Watcher) else None
    whole = {} if share is None else {"whole_share": round(share, 4)}
    journal.write("closed", frames=screen.frames, drops=dropped, restarts=screen.restarts, **whole)
    if share is not None:
        screen.say(f"the gate had all layers read {share:.0%} of the frames")


def _write_events(journal: Journal, kind: str, events: Sequence[Stretch]) -> None:
    """Write events, in stream time: ``alarm`` as they start, ``event`` once they have ended."""
    for event in events:
        journal.write(kind, **{**event._asdict(), "set": SEPARATOR.join(event.set)})


def _line_of(sighting: Sighting) -> dict[str, str | float | int | bool]:
    """What the log holds of a label; ``stream`` and ``latency`` in seconds, ``rejection`` and ``whole`` where told."""
    told: dict[str, str | float | int | bool] = {}
    if sighting.rejection is not None:
        told["rejection"] = sighting.rejection
    if sighting.whole is not None:
        told["whole"] = sighting.whole
    return {
        **told,
        "stream": sighting.seconds,
        "label": sighting.label,
        "score": sighting.score,
        "likeliest": sighting.likeliest,
        "entropy": sighting.entropy,
        "latency": sighting.latency,
        "drops": sighting.dropped,
        "restarted": sighting.restarted,
    }


def _words_of(told: HandedOver) -> dict[str, str | float | int | None]:
    """What the log holds of a stretch that stayed unknown."""
    line: dict[str, str | float | int | None] = {}
    for name, value in told._asdict().items():
        if isinstance(value, WrittenText):
            line |= {name: value.text, f"{name}_log_probability": value.log_probability}
        else:
            line[name] = value
    return line


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM call ``stop``, so that no line is cut; a second one acts as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        """Give the signals back."""
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop_once(number: int, frame: FrameType | None) -> None:
        """Stop; the next signal acts as ever."""
        restore()
        stop()

    for number in numbers:
        signal.signal(number, stop_once)
    try:
        yield
    finally:
        restore()
