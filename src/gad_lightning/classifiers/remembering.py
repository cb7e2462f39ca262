"""Where a verbalized memory has its segments from: the true ones in training, the classifier's own ones afterwards."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor

from gad_lightning.data.sampling import Stream, draws
from gad_lightning.errors import SettingError
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Predictions

LAST = torch.iinfo(torch.int64).max
"""After all frames."""


class ClosedSegments:
    """The last segments that are over in each of S streams of labels; its tensors never grow.

    Args:
        streams: S.
        kept: segments to be remembered.
        room: frames that a label may be newer than the frame it is asked before; their segments are kept too.
        unwritten: classes whose segments are not kept, such as the background.
    """

    def __init__(self, streams: int, kept: int, room: int, unwritten: Collection[int]) -> None:
        self.kept, self.unwritten = kept, torch.tensor(sorted(unwritten), dtype=torch.int64)
        self.running = torch.full((streams,), -1, dtype=torch.int64)
        self.label = torch.full((streams, kept + room), -1, dtype=torch.int64)
        self.end = torch.full((streams, kept + room), -1, dtype=torch.int64)

    def add(self, streams: Tensor, frame: Tensor, label: Tensor) -> None:
        """Take the label (n,) of the next frame (n,) of each stream (n,); frame 0 begins anew. All on the CPU."""
        begun = streams[frame == 0]
        self.running[begun] = self.label[begun] = self.end[begun] = -1
        before = self.running[streams]
        over = (before != label) & (before >= 0) & ~torch.isin(before, self.unwritten)
        row = streams[over]
        self.label[row] = torch.cat([self.label[row, 1:], before[over].unsqueeze(1)], 1)
        self.end[row] = torch.cat([self.end[row, 1:], frame[over].unsqueeze(1)], 1)
        self.running[streams] = label

    def before(self, streams: Tensor, frame: Tensor) -> Tensor:
        """Classes (n, kept) of the last segments that ended before a frame (n,) of each stream; -1: none."""
        return last_of(self.label[streams], (self.end[streams] < frame.unsqueeze(1)).sum(1), self.kept)

    def state(self) -> dict[str, Tensor]:
        """All that is kept, to be written to in place."""
        return {"memory.running": self.running, "memory.label": self.label, "memory.end": self.end}


def last_of(columns: Tensor, count: Tensor, kept: int) -> Tensor:
    """The last ``kept`` of the first ``count`` (n,) columns of each row (n, S): (n, kept), -1 in front for none.

    Example:
        >>> last_of(torch.tensor([[4, 5, 6], [7, 8, 9]]), torch.tensor([1, 3]), 2).tolist()
        [[-1, 4], [8, 9]]
    """
    place = count.unsqueeze(1) + torch.arange(-kept, 0)
    padded = torch.nn.functional.pad(columns, (0, 1), value=-1)  # the last column is for places before the first one
    return padded.gather(1, torch.where(place < 0, columns.shape[1], place))


class PastLabels:
    """What a classifier has said of the videos of one evaluation so far."""

    def __init__(self) -> None:
        self.frames: dict[int, int] = {}  # labeled so far, by number of the video
        self.segments: dict[int, ClosedSegments] = {}


class Remembering(LightningModule):
    """Mixin of the classifiers: fills the memory of a batch."""

    schema: DataSchema
    memory: VerbalizedMemory | None

    def scores(self, batch: Batch) -> Predictions:
        """Class scores of a batch whose memory, if there is one, is filled."""
        raise NotImplementedError

    def remembering_truth(self, batch: Batch) -> Batch:
        """Fill the memory with true segments, some of them replaced by another class; for training."""
        if self.memory is None:
            return batch
        label, _, end = batch.segments.unbind(2)
        over = (label >= 0) & (end < batch.first_frame.unsqueeze(1))  # in time order, so these are the first ones
        remembered = last_of(label, over.sum(1), self.memory.segments)
        names = len(self.schema.tasks[0].labels.names)
        classes = torch.tensor([index for index in range(names) if index not in self.memory.unwritten])
        if len(classes) < 2:
            return batch._replace(remembered=remembered)
        drawn, which = (self._draws(batch, remembered, number) for number in (0, 1))
        place = torch.zeros(names, dtype=torch.int64).index_copy(0, classes, torch.arange(len(classes)))
        further = 1 + (which * (len(classes) - 1)).long()
        other = classes[(place[remembered.clamp(0, names - 1)] + further) % len(classes)]
        changed = (remembered >= 0) & (remembered < names) & (drawn < self.memory.replaced)
        return batch._replace(remembered=torch.where(changed, other, remembered))

    def _draws(self, batch: Batch, remembered: Tensor, number: int) -> Tensor:
        """A uniform number in [0, 1) for each remembered segment, (B, K): a pure function of the batch."""
        drawn = torch.zeros(len(remembered)).index_copy(0, batch.sample.flip(0), batch.uniform.flip(0))
        column = torch.arange(remembered.shape[1]).expand_as(remembered)
        rows = torch.stack([(drawn * 2**24).long(), batch.first_frame], 1).unsqueeze(1).expand(-1, column.shape[1], -1)
        columns = [part.reshape(-1).numpy() for part in (*rows.unbind(2), column)]
        found = draws(number, 0, Stream.MEMORY, *columns)
        return torch.from_numpy(found.astype(np.float32)).view_as(remembered)

    def scores_after(self, past: PastLabels, batch: Batch) -> Predictions:
        """Score a batch whose memory is what the classifier itself has said of the frames before.

        Samples of a video come in the order of time, in as many rounds as one needs the labels of another.

        Args:
            past: of this evaluation; the labels of the batch are added.
            batch: samples of videos.

        Raises:
            SettingError: if the frames before a sample have no label yet.
        """
        if self.memory is None:
            return self.scores(batch)
        video = torch.zeros_like(batch.first_frame).index_copy(0, batch.sample, batch.video)
        start = torch.full_like(video, LAST).scatter_reduce(0, batch.sample, batch.frame, "amin")
        left = torch.bincount(batch.sample, minlength=len(video)) > 0
        if not bool(left.any()):
            return self.scores(self._filled(past, batch, video))
        parts, order = list[Predictions](), list[Tensor]()
        while bool(left.any()):
            known = torch.tensor([past.frames.get(number, 0) for number in video.tolist()])
            waits = left & (batch.first_frame > known)
            later = (video.unsqueeze(1) == video) & (start.unsqueeze(1) > start)
            ready = left & ~waits & ~(later & waits).any(1)
            if not bool(ready.any()):
                raise _out_of_order(int(video[left][0]), int(batch.first_frame[left][0]), int(known[left][0]))
            chosen = ready.nonzero().squeeze(1)
            parts.append(self.scores(self._filled(past, _about(batch, chosen), video[chosen])))
            order.append(ready[batch.sample].nonzero().squeeze(1))
            self._learn(past, parts[-1])
            left &= ~ready
        columns = [name for name in Predictions._fields if name != "rejection"]
        together = Predictions(*(torch.cat([getattr(part, name) for part in parts]) for name in columns))
        return together.picked(torch.cat(order).argsort())

    def _filled(self, past: PastLabels, batch: Batch, video: Tensor) -> Batch:
        """Fill the memory with what was said before; ``video`` (B,) is that of each sample."""
        assert self.memory is not None, "as the caller has seen"
        remembered = torch.full((len(video), self.memory.segments), -1)
        for row, (number, first) in enumerate(zip(video.tolist(), batch.first_frame.tolist(), strict=True)):
            if number in past.segments:
                remembered[row] = past.segments[number].before(torch.tensor([0]), torch.tensor([first]))
        return batch._replace(remembered=remembered)

    def _learn(self, past: PastLabels, found: Predictions) -> None:
        """Note the labels of newly scored frames.

        Raises:
            SettingError: if they are not the next ones of their videos.
        """
        label = found.label.cpu()
        for number in found.video.unique().tolist():
            own = (found.video == number).nonzero().squeeze(1)
            own = own[found.frame[own].argsort()]
            first = past.frames.get(number, 0)
            wrong = (found.frame[own] != torch.arange(first, first + len(own))).nonzero().flatten().tolist()
            if wrong:
                raise _out_of_order(number, int(found.frame[own[wrong[0]]]), first + wrong[0])
            log = past.segments.setdefault(number, self.closed_segments(1))
            new = label[own]
            change = torch.cat([torch.ones(1, dtype=torch.bool), new[1:] != new[:-1]])
            for place in change.nonzero().flatten().tolist():
                log.add(torch.tensor([0]), torch.tensor([first + place]), new[place : place + 1])
            past.frames[number] = first + len(own)

    def closed_segments(self, streams: int) -> ClosedSegments:
        """Room for the segments of some streams of labels."""
        assert self.memory is not None, "there is no memory to fill"
        windows = self.schema.windows
        return ClosedSegments(streams, self.memory.segments, windows.short + windows.long, self.memory.unwritten)

    def remembered(self, batch: Batch) -> Tensor | None:
        """What the memory of each sample holds, (B, K); None where there is no memory, or nothing was before.

        Raises:
            SettingError: if something was before, and nobody has said what.
        """
        if self.memory is not None and batch.remembered is None and bool((batch.first_frame > 0).any()):
            raise SettingError(
                f"A sample begins at frame {int(batch.first_frame.max())} of its video, and this classifier remembers "
                "what was done before it (model.memory), which the batch does not say.",
                "label whole videos by detect, predict or test, or set remembered of the batch",
            )
        return batch.remembered if self.memory is not None else None


def _about(batch: Batch, samples: Tensor) -> Batch:
    """Keep some samples, (n,) in ascending order, and the queries about them."""
    number = torch.full_like(batch.frame_counts, -1).index_copy(0, samples, torch.arange(len(samples)))
    kept = batch.asking(number[batch.sample] >= 0)
    return kept._replace(
        frames=batch.frames[samples.to(batch.frames.device)],
        frame_counts=batch.frame_counts[samples],
        first_frame=batch.first_frame[samples],
        goal=batch.goal[samples],
        segments=batch.segments[samples],
        sample=number[kept.sample],
    )


def _out_of_order(video: int, frame: int, known: int) -> SettingError:
    return SettingError(
        f"Video number {video} goes on at frame {frame}, and its labels are known up to frame {known}: a classifier "
        "with model.memory reads what it said of every frame before.",
        "fit and test in one process (trainer.devices=1), read videos in their order, and ask at every frame",
    )
