"""What a client is told of its stream, as Python has it."""

from __future__ import annotations

from typing import Any, NamedTuple

from gad_lightning.classifiers.detection import Stretch
from gad_lightning.errors import GadError


class ServerError(GadError):
    """A server has refused something; ``code`` says what, as its page in the documentation lists.

    Args:
        message: what it said.
        remedy: what it said to do.
        code: of the close of a stream, or the status of an answer by HTTP; 0 if there was no answer.
    """

    def __init__(self, message: str, remedy: str, code: int = 0) -> None:
        super().__init__(message, remedy)
        self.code = code


class Told(NamedTuple):
    """What a server says of one frame of a stream."""

    frame: int  # number among the frames that were sent, from 0
    seconds: float  # the same as a time
    label: str  # shown; "unknown"; several, joined by "; ", or none, where several can be true
    score: float  # its probability, in [0, 1]
    likeliest: str  # class of the highest score
    dropped: int  # frames that were lost to newer ones so far
    started: tuple[Stretch, ...]  # events that start with the frame
    ended: tuple[Stretch, ...]  # events that ended before it
    restarted: bool = False  # whether the server had lost the stream: it begins anew with this frame
    refused: str = ""  # why the frame could not be used; there is no label then
    rejection: float | None = None  # above 0 where the frame shows none of the classes; None: not asked
    probabilities: tuple[float, ...] = ()  # of all classes, if so asked


def told_of(message: dict[str, Any], offset: int, fps: float, dropped: int, restarted: bool) -> Told:
    """Read a message of a server.

    Args:
        message: of the type "label" or "refused".
        offset: frames that were sent before the server's first one.
        fps: frames a second of the stream.
        dropped: frames that were lost before the server's first one.
        restarted: whether the stream began anew with the frame.
    """
    frame = message["frame"] + offset
    return Told(
        frame=frame,
        seconds=frame / fps,
        label=message.get("label", ""),
        score=message.get("score", 0.0),
        likeliest=message.get("likeliest", ""),
        dropped=message["dropped"] + dropped,
        started=stretches_of(message.get("started", []), offset / fps),
        ended=stretches_of(message.get("ended", []), offset / fps),
        restarted=restarted,
        refused=message.get("why", ""),
        rejection=message.get("rejection"),
        probabilities=tuple(message.get("probabilities", ())),
    )


def stretches_of(events: list[dict[str, Any]], later: float) -> tuple[Stretch, ...]:
    """Read the events of a message, so many seconds later than it says."""
    return tuple(
        Stretch(
            event["label"],
            event["start_seconds"] + later,
            event["end_seconds"] + later,
            event["score"],
            tuple(event["set"]),
        )
        for event in events
    )
