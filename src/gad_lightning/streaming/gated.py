"""Chunk streams whose upper layers read a frame only when a gate opens: several frames at once, later or never."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gad_lightning.backbones.execution.depth import SplitDepth
from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.streaming.gates.base import Gate, Glimpse
from gad_lightning.streaming.streams import ChunkStreams, Reading, Scored
from gad_lightning.types import Kind, Places, Tokens


class GatedStreams(ChunkStreams):
    """Reads every frame by the lowest layers, and what has waited by the others where a gate opens.

    A frame's states do not depend on what is asked at it, so frames that waited are read later as they would have been
    read at once, and a chunk that ends while they wait never needs them. A stream's rows are read further together.
    What is asked is asked of the newest frame alone.

    Args:
        classifier: gives backbone, prompt and windows.
        num_streams: S.
        task: whose prompt is read.
        gate: says where to open.

    Raises:
        SettingError: if the classifier remembers labels, which a gate would leave out, or its language model has too
            few layers.
    """

    def __init__(self, classifier: Classifier, num_streams: int, task: int, gate: Gate) -> None:
        if classifier.memory is not None:
            raise SettingError(
                "The prompt of this classifier remembers earlier labels, and a gate would leave out most of them.",
                "use a classifier without a memory, or no gate",
            )
        gate.check(classifier, task)
        self.gate = gate.to(classifier.device).eval()
        self.longest = gate.frames(classifier.schema.features.fps)
        self.depth = SplitDepth(classifier.backbone.blocks, gate.layers)
        super().__init__(classifier, num_streams, task, spare=self.longest - 1)
        rows, exact = len(self.cache.places.kind), classifier.standardize.mean
        self.reached = next(iter(self.cache.keys.values()))[0, 0, 0]  # of the layers' number format
        self.kept = self.reached.new_zeros(rows, self.longest, classifier.prompt.group, self.depth.width)
        """States of the frames that wait, by the frame's number within its chunk."""
        self.waited = torch.zeros(num_streams, dtype=torch.int64)
        """Frames since the last one that was read whole, which is the newest one at 0."""
        width = classifier.schema.features.width
        self.before = torch.zeros(num_streams, width, dtype=exact.dtype, device=exact.device)
        self.standing = self._none(num_streams)
        self.looked = self.whole = 0
        """Frames so far, and those of them that were read whole."""

    def _none(self, streams: int) -> Scored:
        """What stands before anything was seen."""
        scores = torch.zeros(streams, self.classifier.schema.num_classes, device=self.classifier.device)
        return scores, scores.clone(), self.reached.new_zeros(streams, self.classifier.backbone.hidden_size)

    def step(self, streams: Tensor, frame: Tensor, frames: Tensor) -> Scored:
        """Read one frame of each stream by the lowest layers, by all where the gate opens; see the base."""
        frames = self.classifier.standardize(frames)
        laid = self.lay(streams, frame, frames)
        read = partial(self.read, laid.tokens, laid.at, laid.row, frames, laid.stream, laid.told)
        states = self.depth.below(read)  # (r, T, H)
        self._keep(laid, states)
        open_ = self._opens(streams, frame, frames, laid.tokens.at_slots(states))
        if bool(open_.any()):
            found = self._read_on(laid, states, open_, self.waited[streams])
            chosen = streams[open_]
            for kept, new in zip(self.standing, found, strict=True):
                kept[chosen] = new.to(kept)
            self.before[chosen] = frames[open_].mean(1).to(self.before.dtype)
        self.waited[streams] = torch.where(open_, 0, self.waited[streams] + 1)
        self.looked, self.whole = self.looked + len(streams), self.whole + int(open_.sum())
        scores, logits, slot_states = (part[streams] for part in self.standing)
        return scores, logits, slot_states

    def _keep(self, laid: Reading, states: Tensor) -> None:
        """Keep the states of the frames just read."""
        row, column = (laid.tokens.places.kind == Kind.FRAME).nonzero(as_tuple=True)
        self.kept[laid.row[row], laid.local[row] % self.longest, column] = states[row, column].to(self.kept.dtype)

    def _opens(self, streams: Tensor, frame: Tensor, frames: Tensor, states: Tensor) -> Tensor:
        """Which of the streams are read whole, (n,) bool on the CPU."""
        self._follow_classes()
        waited = self.waited[streams] + 1
        due = (frame == 0) | (waited >= self.longest)
        before, label = self.before[streams], self.standing[0][streams].argmax(1)
        seen = Glimpse(states, frames.mean(1), before, label, waited.to(states.device))
        opens = self.gate(seen)
        if not (isinstance(opens, Tensor) and opens.dtype == torch.bool and opens.shape == due.shape):
            told = f"{tuple(opens.shape)} {opens.dtype}" if isinstance(opens, Tensor) else repr(opens)
            raise SettingError(
                f"{len(due)} streams were shown to {type(self.gate).__name__}, which answers {told}.",
                "let forward return one bool a stream, (n,)",
            )
        return due | opens.cpu()

    def _read_on(self, laid: Reading, states: Tensor, open_: Tensor, waited: Tensor) -> Scored:
        """Let the other layers read what has waited in some streams, and ask at their newest frames.

        Args:
            laid: the step.
            states: (r, T, H) that the lowest layers gave.
            open_: (n,) which streams.
            waited: (n,) frames of each that wait beside the newest one, at most.
        """
        mine = open_[laid.stream]  # (r,)
        row, local = laid.row[mine], laid.local[mine]
        count = torch.minimum(waited[laid.stream[mine]], local) + 1  # (r',) frames that each reads
        at, found = self._waiting(row, local, count)
        branch = laid.tokens.places.kind[mine] == Kind.BRANCH  # (r', T)
        longest = int(branch.sum(1).max())
        column = branch.int().argsort(dim=1, descending=True, stable=True)[:, :longest]
        at = torch.cat([at, torch.where(branch, laid.at[mine], -1).gather(1, column)], 1)
        own = torch.arange(len(mine))[mine].unsqueeze(1)
        found = torch.cat([found, states[own, column].to(found.dtype)], 1)
        asked = torch.isin(torch.arange(len(laid.row)), laid.asked)[mine].nonzero().squeeze(1)  # (n',)
        slot = laid.at.flatten()[laid.tokens.slots][open_].unsqueeze(1)  # (n', 1) its room
        slots = asked * at.shape[1] + (at[asked] == slot).int().argmax(1)
        tokens, place = self._tokens(row, at, asked, slots)
        self.cache.choose(row)
        no_frames = found.new_zeros(0, 0, 0, self.classifier.prompt.width)
        read = partial(self.classifier.backbone.slot_states, tokens, no_frames, self.cache, place)
        above = self.depth.above(read, found.to(states.dtype))  # (n', H)
        lead = None if laid.lead is None else laid.lead[open_]
        return self.ask(above, asked, local[asked], lead, len(row))

    def _waiting(self, row: Tensor, local: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Room (r, W) of the tokens of the newest ``count`` frames of some rows, -1 for none, and their states."""
        group, most = self.classifier.prompt.group, int(count.max())
        frame = (local - most + 1).unsqueeze(1) + torch.arange(most)  # (r, most)
        room = self.prompt_room + (frame % self.ring).unsqueeze(2) * group + torch.arange(group)
        room = room.flatten(1)  # (r, most * group)
        there = self.cache.places.kind.cpu()[row.unsqueeze(1), room] == Kind.FRAME  # a first frame has fewer tokens
        waits = (frame > (local - count).unsqueeze(1)).repeat_interleave(group, 1)
        states = self.kept[row.unsqueeze(1), frame % self.longest]  # (r, most, group, H)
        return torch.where(there & waits, room, -1), states.flatten(1, 2)

    def _tokens(self, row: Tensor, at: Tensor, asked: Tensor, slots: Tensor) -> tuple[Tokens, Tensor]:
        """Tokens that stand in the cache already, to be read further, and their room: padding in the last one.

        Args:
            row: (r,) of the cache.
            at: (r, T) room of each, -1 for padding.
            asked: (n,) rows that have a branch: they are numbered anew in every step, as the rows are.
            slots: of the branches.
        """
        where = self.cache.every.device
        place = torch.where(at >= 0, at, self.cache.places.kind.shape[1] - 1).to(where)
        known = Places(*(part[row.to(where).unsqueeze(1), place] for part in self.cache.places))
        kind = torch.where(at.to(where) >= 0, known.kind, int(Kind.PAD))
        branch = torch.full_like(row, -1).index_copy(0, asked, torch.arange(len(asked))).to(where)
        number = torch.where(kind == Kind.BRANCH, branch.unsqueeze(1), -1)
        none = torch.full_like(kind, -1)
        places = known._replace(kind=kind, sample=torch.zeros_like(kind), branch=number)
        return Tokens(torch.zeros_like(kind), none, places, none, none, slots.to(where)), place

    def _follow_classes(self) -> None:
        """Let every stream find a label anew if classes were added."""
        if self.standing[0].shape[1] != self.classifier.schema.num_classes:
            self.standing = self._none(len(self.waited))
            self.waited[:] = self.longest - 1

    def state(self) -> dict[str, Tensor]:
        """All that the streams have left behind, what waits too."""
        self._follow_classes()
        scores, logits, slot_states = self.standing
        stands = {"stands.scores": scores, "stands.logits": logits, "stands.slot_states": slot_states}
        layers = torch.tensor([self.gate.layers])
        return {
            **super().state(),
            "gate_layers": layers,
            "waiting": self.kept,
            "waited": self.waited,
            "before": self.before,
            **stands,
        }

    def check(self, state: dict[str, Tensor]) -> None:
        """Refuse states that wait below other layers, and what the base refuses.

        Raises:
            CheckpointError: if it does.
        """
        super().check(state)
        theirs = int(state["gate_layers"])
        if theirs != self.gate.layers:
            raise CheckpointError(
                f"The saved frames wait after {theirs} layers; the gate of this detector reads {self.gate.layers}.",
                "make the detector with the gate that the state was saved with",
            )


def gated(classifier: Classifier, num_streams: int, task: int, gate: Gate, compiled: bool = False) -> GatedStreams:
    """Streams of a classifier with a gate.

    Raises:
        SettingError: if it reads whole windows, is to be compiled, or the gate does not fit it.
    """
    if classifier.schema.windows.mode != "one_pass":
        raise SettingError(
            "This classifier was trained in window mode, which reads the whole window again for every frame: nothing "
            "can wait.",
            "leave the gate out, or train in one_pass mode",
        )
    if compiled:
        raise SettingError("A gate and compiled exclude one another: a graph reads every frame alike.", "leave one out")
    return GatedStreams(classifier, num_streams, task, gate)
