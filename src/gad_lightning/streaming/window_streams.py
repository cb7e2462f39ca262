"""What a stream keeps in window mode: the raw frames of its window."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.windows import window_frames
from gad_lightning.streaming.streams import Scored
from gad_lightning.types import Batch


class WindowStreams:
    """Raw frames for ``window`` mode: the last ones of each stream, read again for every frame.

    Args:
        classifier: scores windows.
        num_streams: S.
        task: what is asked.
    """

    def __init__(self, classifier: Classifier, num_streams: int, task: int) -> None:
        self.classifier, self.task = classifier, task
        windows, spec = classifier.schema.windows, classifier.schema.features
        self.room = windows.short + windows.long
        shape, where = (num_streams, self.room, spec.tokens_per_frame, spec.width), classifier.device
        self.kept = torch.zeros(shape, dtype=classifier.standardize.dtype, device=where)
        self.memory = None if classifier.memory is None else classifier.closed_segments(num_streams)

    def step(self, streams: Tensor, frame: Tensor, frames: Tensor) -> Scored:
        """Keep one frame of each stream and score its window."""
        self.kept[streams, frame % self.room] = frames
        windows = self.classifier.schema.windows
        shown = [torch.from_numpy(window_frames(end + 1, windows)) for end in frame.tolist()]
        counts = torch.tensor([len(rows) for rows in shown])
        places = torch.nn.utils.rnn.pad_sequence([rows % self.room for rows in shown], batch_first=True)
        window = self.kept[streams.unsqueeze(1), places]
        batch = Batch.at_last_frames(window, counts, self.task)
        if self.memory is not None:
            first = torch.tensor([int(rows[0]) for rows in shown])
            batch = batch._replace(first_frame=first, remembered=self.memory.before(streams, first))
        predictions = self.classifier.scores(batch)
        if self.memory is not None:
            self.memory.add(streams, frame, predictions.label.cpu())
        return predictions.scores, predictions.logits, predictions.slot_states

    def state(self) -> dict[str, Tensor]:
        """The frames kept, to be written to in place."""
        return {"kept": self.kept, **({} if self.memory is None else self.memory.state())}

    def check(self, state: dict[str, Tensor]) -> None:
        """Frames are frames, whatever the weights are."""
