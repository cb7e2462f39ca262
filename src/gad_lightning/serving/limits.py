"""What a server takes from its clients: sizes, rates and times."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from gad_lightning.errors import SettingError

TOKEN = "GAD_LIGHTNING_TOKEN"
"""Variable of the environment that holds the token which clients have to send."""


@dataclass(frozen=True)
class Limits:
    """What a server takes, all above 0.

    Args:
        body_mb: megabytes of an uploaded or fetched video, at most.
        body_seconds: in which it must have arrived.
        job_seconds: in which it must be labeled, checked between batches.
        jobs: videos that wait, are labeled, or whose results are kept.
        keep_seconds: for which a result is kept.
        frame_kb: kilobytes of a message of a stream, at most.
        frame_pixels: of a JPEG picture, at most.
        frames_per_second: of a stream that are labeled, at most; a faster one loses its oldest frames.
        waiting: frames of a stream that wait to be labeled; the oldest is lost to a further one.
        start_seconds: in which a request's head, and a stream's first message, must have arrived.
        stall_seconds: without a frame, after which a stream is closed.
        resume_seconds: for which a stream without a connection keeps its place, unless a new one needs it.
        history: messages of a stream that are kept for a client that reads late or comes back.

    Raises:
        SettingError: if a limit is 0 or less, infinite, or not whole where it counts.
    """

    body_mb: float = 512.0
    body_seconds: float = 300.0
    job_seconds: float = 1800.0
    jobs: int = 32
    keep_seconds: float = 600.0
    frame_kb: float = 2048.0
    frame_pixels: int = 4_000_000
    frames_per_second: float = 100.0
    waiting: int = 4
    start_seconds: float = 10.0
    stall_seconds: float = 30.0
    resume_seconds: float = 60.0
    history: int = 256

    def __post_init__(self) -> None:
        """Check the limits."""
        for field in fields(self):
            value: float = vars(self)[field.name]
            if not 0 < value < math.inf or (field.type == "int" and value != int(value)):
                kind = "a whole number" if field.type == "int" else "a number"
                raise SettingError(
                    f"limits.{field.name} is {kind} above 0, got {value}.", f"leave it out for {field.default}"
                )
