"""Unknown stretches of live streams in words: the very events that whole videos have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.windows import frames_up_to
from gad_lightning.decisions.handing_over import HandOver, TokenBudget
from gad_lightning.decisions.live import Step
from gad_lightning.decisions.observed import Ints
from gad_lightning.errors import SettingError
from gad_lightning.types import Predictions

PREFIX = "hand_over."
"""Beginning of the names under which it is saved."""


class LiveHandOver:
    """Keeps the newest frames of some streams, which are read once more for the words, and counts what is written.

    Args:
        classifier: that can be handed over, see :meth:`Classifier.check_hand_over`.
        asked: how.
        num_streams: S, that start and restart by themselves.
        task: index into the schema's tasks.
    """

    def __init__(self, classifier: Classifier, asked: HandOver, num_streams: int, task: int) -> None:
        self.classifier, self.asked, self.task = classifier, asked, task
        windows, spec = classifier.schema.windows, classifier.schema.features
        one_pass = windows.mode == "one_pass"
        self.room = windows.frames - 1 + windows.chunk if one_pass else windows.short + windows.long
        shape = (num_streams, self.room, spec.tokens_per_frame, spec.width)
        self.kept = torch.zeros(shape, dtype=classifier.standardize.dtype, device=classifier.device)
        self.frames, self.told = asked.frames(spec.fps), TokenBudget(asked.tokens_per_minute, spec.fps, num_streams)
        self.passed = np.zeros(num_streams, dtype=np.int64)  # frames, also those before the last restart

    def keep(self, streams: Tensor, frame: Tensor, frames: Tensor) -> None:
        """Take one frame of each stream: (n,), its number (n,), and (n, N, D)."""
        self.kept[streams, frame % self.room] = frames

    def check(self, seen: Predictions, pushed: Tensor) -> None:
        """Refuse frames that others were pushed after; ``pushed`` (S,) of each stream.

        Raises:
            SettingError: if there are.
        """
        if bool((pushed[seen.video] != seen.frame + 1).any()):
            raise SettingError(
                "With hand_over a frame is decided before the next one is pushed, and this one was not.",
                "call decide after each push",
            )

    def told_in(self, steps: Sequence[Step], seen: Predictions, since: Ints) -> list[Step]:
        """Put into words what has stayed unknown up to the frames that were just decided.

        Args:
            steps: of n frames.
            seen: what is said of them.
            since: (n,) frame at which the unknown stretch of each began; -1 where there is none.
        """
        rows = zip(steps, seen.video.tolist(), seen.frame.tolist(), since.tolist(), seen.scores, strict=True)
        return [self._told(*row) for row in rows]

    def _told(self, step: Step, stream: int, frame: int, since: int, scores: Tensor) -> Step:
        now = int(self.passed[stream])
        self.passed[stream] += 1
        if since < 0 or frame - since + 1 != self.frames:
            return step
        rows = torch.from_numpy(frames_up_to(frame, self.classifier.schema.windows) % self.room)
        frames, left = self.kept[stream, rows], self.told.left(stream, now)
        words = self.classifier.hand_over(self.asked, (since, frame), frames, scores, left, self.task)
        self.told.spend(stream, now, words.tokens)
        return step._replace(words=words)

    def state(self) -> dict[str, Tensor]:
        """All that it keeps, to be copied or written into."""
        counts = {"passed": self.passed, "frame": self.told.frame, "tokens": self.told.tokens}
        return {
            f"{PREFIX}kept": self.kept,
            **{f"{PREFIX}{name}": torch.from_numpy(part) for name, part in counts.items()},
        }
