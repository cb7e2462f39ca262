"""Label sets of live streams that follow what one tells about them."""

from __future__ import annotations

import numpy as np

from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Bools, Floats, Ints
from gad_lightning.errors import SettingError

STEP = 0.05
"""How far one answer moves the error that sets are made for."""


class AdaptiveSets:
    """Adaptive conformal inference: after every true label that is told, the next sets are larger or smaller.

    Sets begin as :class:`~gad_lightning.ConformalLabels` makes them, for its error a. If a set lacked the label that
    is told, they are made for an error that is ``step * (1 - a)`` smaller from then on, else for one that is
    ``step * a`` larger, up to 1. So of T frames that were told, whatever the stream does, at most a share of
    a + (a + step) / (step T) lacks its label. A restart keeps the error, as it is the camera's, and forgets the frames.

    Args:
        sets: fitted.
        classes: C.
        frames: of each stream that are remembered, 1 or more.
        streams: S.

    Raises:
        SettingError: if the sets were fitted by a version that kept too little of the validation videos.

    Source: Gibbs, Candes, Adaptive Conformal Inference Under Distribution Shift, NeurIPS 2021, arXiv 2106.00170,
    section 2 and proposition 4.1; there sets may be empty and the error above 1.
    """

    def __init__(self, sets: ConformalLabels, classes: int, frames: int, streams: int) -> None:
        if not sets.misfits:
            raise SettingError(
                "These label sets cannot follow what is told: an earlier version fitted them for one error only.",
                "run gad-lightning calibrate again",
            )
        self.sets = sets
        self.error = np.full(streams, sets.error)
        self.given = np.zeros((streams, frames, classes), dtype=bool)
        self.frame = np.full((streams, frames), -1, dtype=np.int64)

    def __call__(self, probabilities: Floats, frame: int, stream: int) -> Bools:
        """Make the set of the next frame of a stream, and remember it: (C,) -> (C,)."""
        place = frame % self.frame.shape[1]
        made: Bools = self.sets(probabilities[None], self.sets.misfit_at(float(self.error[stream])))[0]
        self.given[stream, place], self.frame[stream, place] = made, frame
        return made

    def tell(self, label: int, frame: int, stream: int, step: float = STEP) -> bool:
        """Say what a frame showed; whether its set held that.

        Args:
            label: true class.
            frame: of the stream since its start.
            stream: number of the stream.
            step: how far the error moves, in (0, 1].

        Raises:
            SettingError: if the frame is not remembered or was told before, or a number is out of its range.
        """
        size, classes = self.given.shape[1:]
        if not 0 <= label < classes:
            raise SettingError(f"There is no class {label}: the classes are 0 to {classes - 1}.", "tell one of them")
        if not 0 < step <= 1:
            raise SettingError(f"step must lie above 0, up to 1, got {step}.", "leave it out, or use 0.005 to 0.1")
        place = frame % size
        if frame < 0 or self.frame[stream, place] != frame:
            newest = int(self.frame[stream].max())
            if not 0 <= frame <= newest:
                shown = f"frames 0 to {newest}" if newest >= 0 else "none"
                raise SettingError(
                    f"Stream {stream} has no frame {frame}: it has shown {shown} since its start.",
                    "tell a time of what it has shown, in seconds since its start",
                )
            raise SettingError(
                f"Frame {frame} of stream {stream} is not remembered or was told before: the newest one is {newest}, "
                f"and {size} are remembered.",
                "tell each frame once and sooner, or remember more seconds",
            )
        held = bool(self.given[stream, place, label])
        self.error[stream] = min(1.0, self.error[stream] + step * (self.sets.error - (not held)))
        self.frame[stream, place] = -1
        return held

    def restart(self, streams: Ints) -> None:
        """Forget the frames of some streams."""
        self.frame[streams] = -1

    def state(self) -> dict[str, Ints | Floats | Bools]:
        """All that the streams have left behind, to be copied or written into."""
        return {"error": self.error, "given": self.given, "given_frame": self.frame}
