"""Whether a clock that jumps ahead comes back: the times of a file's packets, read once, when it is first asked."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gad_lightning.optional import need
from gad_lightning.video.container import open_video, packets_of


class LaterTimes:
    """Times of a stream's packets in the order of the file; nothing is decoded.

    Args:
        path: the file.
        stream: number of the stream in it.
    """

    def __init__(self, path: Path, stream: int) -> None:
        self.path, self.stream = path, stream
        self._at = 0  # packet that was asked for last

    @cached_property
    def _times(self) -> NDArray[np.float64]:
        """Seconds on the stored clock: (packets,)."""
        failure = need("av", why="to read video files").error.FFmpegError
        found: list[float] = []
        with open_video(self.path) as container:
            stream = next(stream for stream in container.streams.video if stream.index == self.stream)
            try:
                for packet in packets_of(container, stream):
                    if packet.pts is not None:
                        found.append(float(packet.pts * packet.time_base))
            except failure:
                pass  # the file ends here, as it does for the decoder
        return np.array(found)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Packets in the order of their times."""
        return np.argsort(self._times, kind="stable")

    def comes_back(self, seconds: float, margin: float, least: float) -> bool:
        """Whether the next time that the clock falls back behind a packet, it does not fall behind another time.

        Args:
            seconds: time of the packet, on the stored clock; asked of packets in the order of the file.
            margin: seconds by which packets are out of order by their codec.
            least: a clock that falls behind this time is that of another recording.
        """
        alike = slice(*(np.searchsorted(self._times, seconds, side, self._order) for side in ("left", "right")))
        places = self._order[alike]
        places = places[places >= self._at]
        if not len(places):
            return False
        self._at = int(places[0])
        falls = self._at + 1 + np.flatnonzero(np.diff(self._times[self._at :]) < -margin)
        return len(falls) > 0 and bool(self._times[falls[0]] >= least)
