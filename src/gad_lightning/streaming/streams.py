"""What a stream keeps in one_pass mode: the keys and values of its current and next chunks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import CheckpointError
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.types import Kind, Tokens

Scored = tuple[Tensor, Tensor, Tensor]
"""Scores, logits and slot states of the streams pushed."""
SAME_PROMPT = 1e-3
"""Share of its largest key by which a prompt may differ that was read by the same weights on another machine."""


class Reading(NamedTuple):
    """The r rows of the cache that a step of n streams reads a frame into."""

    tokens: Tokens  # r rows, on the CPU
    at: Tensor  # (r, T) room of each token
    row: Tensor  # (r,) of the cache
    stream: Tensor  # (r,) which of the n frames is read
    local: Tensor  # (r,) number of the frame within its chunk
    asked: Tensor  # (n,) rows of the chunks that hold the frames themselves, in the order of the streams
    lead: Tensor | None  # (n, L) ids of the texts before the openers
    told: Tensor | None  # (n, H) added to the slots' input


class _Newest:
    """The newest vectors of each stream.

    Args:
        num_streams: S.
        reach: vectors kept of each.
        width: of a vector.
        like: of its kind and on its device.
    """

    def __init__(self, num_streams: int, reach: int, width: int, like: Tensor) -> None:
        self.reach = reach
        self.kept = torch.zeros(num_streams, reach, width, dtype=like.dtype, device=like.device)

    def add(self, streams: Tensor, frame: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Take the next vector of each stream; give the newest in time order, (n, reach, W), and their number (n,).

        Args:
            streams: (n,) int64.
            frame: (n,) number of the frame.
            vectors: (n, W).
        """
        self.kept[streams, frame % self.reach] = vectors.to(self.kept.dtype)
        count = (frame + 1).clamp(max=self.reach)
        order = ((frame + 1 - count).unsqueeze(1) + torch.arange(self.reach)) % self.reach
        return self.kept[streams.unsqueeze(1), order], count


class ChunkStreams:
    """Keys and values for ``one_pass`` mode: a stream has a row of the cache for every chunk that a frame belongs to.

    A row holds the prompt, then the last ``window`` frames in a ring (a new frame takes the place of the oldest one),
    then room for opener and answer, which the next frame overwrites. A chunk has ``window - 1`` frames of context
    before its first labeled frame; its row is filled from the first of them on, while the chunk before it is labeled.

    Args:
        classifier: gives backbone, prompt and windows.
        num_streams: S.
        task: whose prompt is read.
        spare: frames before the window whose room is kept too.
    """

    def __init__(self, classifier: Classifier, num_streams: int, task: int, spare: int = 0) -> None:
        self.classifier, self.task = classifier, task
        windows, prompt = classifier.schema.windows, classifier.prompt
        self.window, self.chunk = windows.frames, windows.chunk
        self.ring = self.window + spare
        self.per_stream = -(-(self.window - 1) // self.chunk) + 1
        self.prompt_room = prompt.trunk_length(0, task)
        self.scratch = self.prompt_room + self.ring * prompt.group
        rows = num_streams * self.per_stream
        self.opened = len(prompt.opener_ids) + classifier.longest_lead
        self.cache = classifier.backbone.make_cache(rows, self.scratch + self.opened + classifier.room(1) + 1)
        kind, width = next(classifier.backbone.connector.parameters()), classifier.backbone.hidden_size
        self.slot_memory = _Newest(num_streams, reach, width, kind) if (reach := classifier.slot_reach) else None
        exact, width = classifier.standardize.mean, classifier.schema.features.width
        self.lead_memory = _Newest(num_streams, reach, width, exact) if (reach := classifier.lead_reach) else None
        self.memory = None if classifier.memory is None else classifier.closed_segments(num_streams)
        self.layout: tuple[list[list[int]], Tokens] | None = None
        self.read_prompt(torch.arange(rows))

    @torch.inference_mode()
    def read_prompt(self, row: Tensor, remembered: Tensor | None = None) -> None:
        """Read the prompt into rows (r,) of the cache, with what each remembers (r, K); else once for all of them."""
        backbone, prompt = self.classifier.backbone, self.classifier.prompt
        read = row if remembered is not None else row[:1]
        asked = (torch.zeros_like(read), 0, torch.full_like(read, self.task))
        laid = prompt.lay_out(*asked, prompt.branches(row[:0], row[:0]), remembered=remembered)
        tokens = backbone.place(laid)._replace(plain=False)
        at = torch.arange(self.prompt_room, device=tokens.ids.device).expand(len(read), -1)
        self.cache.choose(read)
        no_frames = torch.zeros(1, 0, 1, prompt.width, device=tokens.ids.device)
        backbone(tokens, no_frames, self.cache, at)
        if remembered is None:
            self.cache.copy_row(int(row[0]), row, self.prompt_room)

    def step(self, streams: Tensor, frame: Tensor, frames: Tensor) -> Scored:
        """Read one frame of each stream into its chunks and ask at the current one.

        Args:
            streams: (n,) int64.
            frame: (n,) number of the frame.
            frames: (n, N, D) as the features are.
        """
        frames = self.classifier.standardize(frames)
        laid = self.lay(streams, frame, frames)
        states = self.read(laid.tokens, laid.at, laid.row, frames, laid.stream, laid.told)  # (n, H) of the slots
        scores, logits, slot_states = self.ask(states, laid.asked, laid.local[laid.asked], laid.lead, len(laid.row))
        if self.memory is not None:
            self.memory.add(streams, frame, scores.argmax(1).cpu())
        return scores, logits, slot_states

    def lay(self, streams: Tensor, frame: Tensor, frames: Tensor) -> Reading:
        """Lay out what a step reads, in rows that are made ready for it; frames (n, N, D) are standardized."""
        # each stream has per_stream rows, one for every chunk that the frame is read into: its own, and the next ones
        ahead = torch.arange(self.per_stream)  # (per_stream,)
        chunk = (frame // self.chunk).unsqueeze(1) + ahead  # (n, per_stream)
        first = (chunk * self.chunk - (self.window - 1)).clamp(min=0)  # (n, per_stream) first frame that a chunk reads
        stream, which = (first <= frame.unsqueeze(1)).nonzero(as_tuple=True)  # (r,) each: the r rows that are read
        place = chunk[stream, which] % self.per_stream  # (r,)
        order = (stream * self.per_stream + place).argsort()  # as the cache has them, which then copies none
        stream, which, place = stream[order], which[order], place[order]
        row = streams[stream] * self.per_stream + place  # (r,) of the cache
        local = frame[stream] - first[stream, which]  # (r,) number of the frame within its chunk
        begun = local == 0
        if bool(begun.any()):
            self.cache.forget(row[begun], self.prompt_room)
            if self.memory is not None:
                owner = stream[begun]
                self.read_prompt(row[begun], self.memory.before(streams[owner], frame[owner]))
        self.cache.forget(row, self.scratch)
        asked = (which == 0).nonzero().squeeze(1)  # (n,) rows of the chunks that hold the frames themselves
        lead = self.lead_of(streams, frame, frames, stream[asked])
        tokens = self.lay_out(local, asked, torch.full_like(row, self.task), lead)
        told = self.told_of(streams, frame, frames, stream[asked])
        return Reading(tokens, self.rooms(tokens, local), row, stream, local, asked, lead, told)

    def ask(self, states: Tensor, asked: Tensor, local: Tensor, lead: Tensor | None, rows: int) -> Scored:
        """Score what the chosen rows of the cache were just asked.

        Args:
            states: (n, H) of the slots.
            asked: (n,) row of each, among the ``rows`` chosen ones.
            local: (n,) number of the frame within its chunk.
            lead: (n, L) ids of the texts before the openers.
            rows: r.
        """
        task, used = torch.full((rows,), self.task), torch.full((rows,), self.scratch + self.opened)
        to_write_on = (self.classifier.backbone, self.classifier.prompt, self.cache)
        branches = BranchDecoder(*to_write_on, states, asked, local, task, used, lead)
        scores, logits = self.classifier.score_branches(branches, task[asked])
        return scores, logits, branches.slot_states  # scoring may have moved them

    def told_of(self, streams: Tensor, frame: Tensor, frames: Tensor, asked: Tensor) -> Tensor | None:
        """What slots are told of the newest frames, (Q, H): streams and frames as for :meth:`step`, ``asked`` (Q,)."""
        if self.slot_memory is None:
            return None
        vectors = self.classifier.backbone.visual(frames.unsqueeze(1))[:, 0]
        visual, count = self.slot_memory.add(streams, frame, vectors)
        where = visual.device
        return self.classifier.shown_at(visual, torch.arange(len(streams)).to(where), (count - 1).to(where))[asked]

    def lead_of(self, streams: Tensor, frame: Tensor, frames: Tensor, asked: Tensor) -> Tensor | None:
        """Ids of the texts before openers, (Q, L); arguments as for :meth:`told_of`."""
        if self.lead_memory is None:
            return None
        recent, count = self.lead_memory.add(streams, frame, frames.mean(1))
        there = torch.arange(recent.shape[1]) < count.unsqueeze(1)
        return self.classifier.lead_at(recent, there, torch.full_like(streams, -1))[asked]

    def read(
        self, tokens: Tokens, at: Tensor, row: Tensor, frames: Tensor, stream: Tensor, told: Tensor | None = None
    ) -> Tensor:
        """Read the tokens of one step into their rows, which stay chosen.

        Args:
            tokens: r rows, on the CPU.
            at: (r, T) room of each token.
            row: (r,) row of the cache.
            frames: (n, N, D) standardized.
            stream: (r,) which of the frames is read.
            told: (Q, H) added to the slots' input; None for nothing.

        Returns:
            (Q, H) slot states.
        """
        backbone = self.classifier.backbone
        placed = backbone.place(tokens)._replace(plain=False)
        placed = placed if told is None else placed.showing(told)
        self.cache.choose(row)
        states = backbone(placed, frames[stream].unsqueeze(1), self.cache, at.to(placed.ids.device))
        slot_states: Tensor = placed.at_slots(states)
        return slot_states

    def lay_out(self, local: Tensor, asked: Tensor, task: Tensor, lead: Tensor | None) -> Tokens:
        """Render one frame of each row: as in the step before, further on, where the same rows are asked again.

        Args:
            local: (r,) number of the frame in its chunk.
            asked: (Q,) which rows have a branch.
            task: (r,) the task of each row.
            lead: (Q, L) ids of the texts before the openers.
        """
        prompt, alike = self.classifier.prompt, local.clamp(max=1)  # only a first frame has no separator before it
        key = [alike.tolist(), asked.tolist(), *(() if lead is None else lead.tolist())]
        if self.layout is None or self.layout[0] != key:
            self.layout = key, prompt.render(alike + 1, 1, asked, alike[asked], task, None, alike, lead)
        tokens = self.layout[1]
        places = tokens.places
        further = torch.where(places.kind != Kind.PAD, (local - alike).unsqueeze(1), 0)
        position = places.position + further * prompt.group
        return tokens._replace(places=places._replace(frame=places.frame + further, position=position))

    def rooms(self, tokens: Tokens, local: Tensor) -> Tensor:
        """Room of each new token: frame tokens in the ring, the rest in the scratch; (r, T)."""
        column = torch.arange(tokens.ids.shape[1]).expand(len(local), -1)
        in_frame = tokens.places.kind == Kind.FRAME
        size = in_frame.sum(1, keepdim=True)
        ring = self.prompt_room + (local % self.ring).unsqueeze(1) * self.classifier.prompt.group + column
        return torch.where(in_frame, ring, self.scratch + column - size)

    def state(self) -> dict[str, Tensor]:
        """All that the streams have left behind, by name; to be written to in place."""
        places = {f"places.{name}": part for name, part in self.cache.places._asdict().items()}
        keys = {f"keys.{layer}": part for layer, part in self.cache.keys.items()}
        values = {f"values.{layer}": part for layer, part in self.cache.values.items()}
        told = {} if self.slot_memory is None else {"slot_memory": self.slot_memory.kept}
        led = {} if self.lead_memory is None else {"lead_memory": self.lead_memory.kept}
        return {**places, **keys, **values, **told, **led, **({} if self.memory is None else self.memory.state())}

    def check(self, state: dict[str, Tensor]) -> None:
        """Refuse what other weights left behind: they read the prompt otherwise.

        Raises:
            CheckpointError: if they did.
        """
        memory = self.classifier.memory
        same = self.prompt_room - (0 if memory is None else memory.length)  # what is remembered may differ
        for layer, keys in self.cache.keys.items():
            mine = keys[0, :, :same].float().cpu()
            theirs = state[f"keys.{layer}"][0, :, :same].float().cpu()
            if bool((mine - theirs).abs().max() > SAME_PROMPT * mine.abs().max()):
                raise CheckpointError(
                    "The saved streams were read by other weights: the prompt's keys differ.",
                    "load the checkpoint that the state was saved with, merged as it was then",
                )
