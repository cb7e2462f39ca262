"""What a gate would have shown of videos whose every frame was read whole, without reading them again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.decisions.observed import Ints
from gad_lightning.decisions.steady import accuracy, segment_score
from gad_lightning.results.gate_table import GateRow
from gad_lightning.streaming.gates.base import Gate, Glimpse
from gad_lightning.streaming.gates.watched import Watched


class Shown(NamedTuple):
    """What a gate shows of F frames."""

    label: Tensor  # (F,) int64
    whole: int  # frames that all layers read


@torch.inference_mode()
def simulate(gate: Gate, watched: Watched) -> Shown:
    """Let a gate see the videos side by side, frame by frame, exactly as live streams would."""
    label, fps = watched.label, watched.observed.fps
    lengths = torch.bincount(torch.from_numpy(watched.observed.video))
    first = lengths.cumsum(0) - lengths
    read, shown, whole = first.clone(), label.clone(), 0
    for frame in range(int(lengths.max())):
        going = frame < lengths
        now, before = first[going] + frame, read[going]
        waited = now - before
        seen = Glimpse(watched.states[now], watched.features[now], watched.features[before], label[before], waited)
        opens = (waited >= gate.frames(fps)) | gate(seen).cpu() | (frame == 0)
        read[going] = torch.where(opens, now, before)
        shown[now] = label[read[going]]
        whole += int(opens.sum())
    return Shown(shown, whole)


def worth(name: str, watched: Watched, shown: Shown) -> GateRow:
    """What is shown against the truth, and against what every frame read whole would show."""
    label, found, video = watched.label.numpy(), shown.label.numpy(), watched.observed.video
    return GateRow(
        name,
        len(label) / shown.whole,
        segment_score(watched.observed, found),
        accuracy(watched.observed, found),
        float((label == found).mean()),
        _delay(label, found, video),
    )


def _delay(label: Ints, shown: Ints, video: Ints) -> float:
    """Frames until a label that begins is shown, in the mean over those that are shown before they end."""
    begins = np.ones(len(label), dtype=bool)
    begins[1:] = (label[1:] != label[:-1]) | (video[1:] != video[:-1])
    start = np.flatnonzero(begins)
    stretch = np.cumsum(begins) - 1
    right = np.flatnonzero(label == shown)
    first_shown = np.unique(stretch[right], return_index=True)
    waits = right[first_shown[1]] - start[first_shown[0]]
    own = video[start[first_shown[0]]] != np.concatenate([[-1], video])[start[first_shown[0]]]
    changes = waits[~own]  # the first label of a video is shown at once
    return float(changes.mean()) if len(changes) else 0.0
