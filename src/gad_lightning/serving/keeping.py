"""The streams of a server that stops, in one file, for the server that starts after it."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import NamedTuple, cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import CheckpointError
from gad_lightning.serving.messages import Events, Kind, Precision, Start
from gad_lightning.serving.places import Places
from gad_lightning.serving.stream import Stream

STREAMS = "streams"
"""Under which the file's metadata hold what is not a tensor."""


class _Kept(NamedTuple):
    """What is kept of a stream, beside what its detector has read."""

    place: int
    start: tuple[str, float, str, str, bool]
    digest: str
    counts: tuple[int, int, int, int, int, int]
    closing: int | None
    lost: list[list[int]]
    since: dict[str, int]
    flags: tuple[bool, bool]
    history: list[str]


def save_streams(path: Path, places: Places) -> None:
    """Write all streams that may be resumed; tokens are not in the file. Only its owner may read it.

    Raises:
        SettingError: if the file cannot be written.
    """
    kept = [_kept_of(stream)._asdict() for stream in places.taken.values()]
    state = places.batcher.labeler.detector.state_dict()
    with atomic_write(path) as part:
        part.chmod(0o600)
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, part, {STREAMS: json.dumps(kept)})


def load_streams(path: Path, places: Places) -> int:
    """Take up the streams of a file, which is removed: what it holds is true once. Gives their number.

    Raises:
        CheckpointError: if the file is damaged, or of another checkpoint or number of streams.
    """
    detector = places.batcher.labeler.detector
    try:
        with safe_open(path, "pt") as file:
            detector.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
            rows = [_Kept(**row) for row in json.loads(file.metadata()[STREAMS])]
            found = [_stream_of(row, places) for row in rows]
        path.unlink()
    except CheckpointError as error:
        raise CheckpointError(
            f"The streams of {path} do not fit: {error.message}",
            "serve the checkpoint and the --streams that it was written with, or delete it",
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"The streams of {path} cannot be read and removed: {error.strerror}.", "choose a folder that is writable"
        ) from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} holds no streams of a server.", "delete it, or name another --state") from error
    places.taken = {stream.place: stream for stream in found}
    return len(found)


def _kept_of(stream: Stream) -> _Kept:
    return _Kept(
        stream.place,
        (stream.start.kind, stream.start.fps, stream.start.dtype, stream.start.events, stream.start.probabilities),
        stream.digest,
        (stream.told, stream.sent, stream.labeled, stream.dropped, stream.refused, stream.last),
        stream.closing,
        stream.lost,
        {str(label): frame for label, frame in stream.since.items()},
        (stream.anew, stream.over),
        list(stream.history),
    )


def _stream_of(kept: _Kept, places: Places) -> Stream:
    kind, fps, dtype, events, probabilities = kept.start
    start = Start(cast(Kind, kind), fps, cast(Precision, dtype), cast(Events, events), probabilities)
    stream = Stream(kept.place, start, places.limits)
    stream.digest, stream.closing, stream.lost = kept.digest, kept.closing, kept.lost
    stream.told, stream.sent, stream.labeled, stream.dropped, stream.refused, stream.last = kept.counts
    stream.since = {int(label): frame for label, frame in kept.since.items()}
    stream.anew, stream.over = kept.flags
    stream.history = deque(kept.history, maxlen=places.limits.history)
    stream.left = stream.heard
    return stream
