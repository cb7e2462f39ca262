"""What client and server say to one another, in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

from gad_lightning.errors import GadError
from gad_lightning.schema import FeatureSpec

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]
"""What JSON can hold."""
Kind = Literal["jpeg", "features"]
Precision = Literal["float32", "float16"]
Events = Literal["all", "changes"]
MOST_FPS = 100_000
MOST_TEXT = 4096
"""Characters of a text message of a client."""
FIELDS = {"type", "kind", "fps", "dtype", "events", "probabilities", "token", "resume", "after"}


class BadMessage(GadError):
    """A message cannot be used; what it says goes to the client.

    Args:
        message: what is wrong.
        remedy: what to do.
        code: of the close, 4000 to 4999, or the status of an answer by HTTP.
    """

    def __init__(self, message: str, remedy: str, code: int = 4400) -> None:
        super().__init__(message, remedy)
        self.code = code

    def __reduce__(self) -> tuple[type[GadError], tuple[str, str]]:
        """Survive the way between processes; the code is then the usual one."""
        return type(self), (self.message, self.remedy)


class Start(NamedTuple):
    """What a stream is to be."""

    kind: Kind
    fps: float
    dtype: Precision = "float32"  # of rows of features, little-endian
    events: Events = "all"  # a message for every frame, or for those with events, losses, refusals
    probabilities: bool = False  # whether a label comes with those of all classes


class Opening(NamedTuple):
    """The first message of a connection."""

    start: Start | None  # None: a stream is resumed
    token: str  # the server's, empty for none
    resume: str  # the stream's
    after: int  # number of the last message that the client has; -1 for none


def text_of(message: Value) -> str:
    """A message as text."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_object(text: str) -> dict[str, Value]:
    """Read a text message of a client.

    Raises:
        BadMessage: if it is no JSON object, or too long.
    """
    try:
        found = json.loads(text) if len(text) <= MOST_TEXT else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadMessage(
            f"A text message is a JSON object of at most {MOST_TEXT} characters.", 'send {"type": "start", ...}'
        )
    return cast(dict[str, Value], found)


def read_opening(text: str, spec: FeatureSpec) -> Opening:
    """Read the first message of a stream.

    Args:
        text: as it came.
        spec: of the classifier's features.

    Raises:
        BadMessage: if it is none, or asks for what the server does not have.
    """
    given = read_object(text)
    if given.get("type") != "start" or not set(given) <= FIELDS:
        raise BadMessage("The first message starts a stream.", f'send type "start" and of {", ".join(sorted(FIELDS))}')
    token, resume, after = given.get("token", ""), given.get("resume", ""), given.get("after", -1)
    if not isinstance(token, str) or not isinstance(resume, str) or not _is_whole(after, -1):
        raise BadMessage("token and resume are texts, after is a whole number from -1.", "send what the server sent")
    return Opening(None if resume else _start_of(given, spec), token, resume, int(cast(int, after)))


def _is_whole(value: Value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**53


def _start_of(given: dict[str, Value], spec: FeatureSpec) -> Start:
    choices = {"kind": ("jpeg", "features"), "dtype": ("float32", "float16"), "events": ("all", "changes")}
    defaults = {"dtype": "float32", "events": "all"}
    for name, allowed in choices.items():
        if given.get(name, defaults.get(name)) not in allowed:
            raise BadMessage(f"{name} is one of {', '.join(allowed)}.", f'send "{name}": "{allowed[0]}"')
    fps, probabilities = given.get("fps"), given.get("probabilities", False)
    if not isinstance(probabilities, bool):
        raise BadMessage("probabilities is true or false.", 'send "probabilities": false')
    known = isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps < MOST_FPS
    if not known or not math.isclose(cast(float, fps), spec.fps, rel_tol=0.01):
        raise BadMessage(
            f"The classifier labels {spec.fps:g} frames a second, and fps is another.",
            f'send "fps": {spec.fps:g}, and so many frames a second',
        )
    kind, dtype, events = (given.get(name, defaults.get(name)) for name in choices)
    return Start(cast(Kind, kind), spec.fps, cast(Precision, dtype), cast(Events, events), probabilities)
