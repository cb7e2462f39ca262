"""One pass, separate passes, chunks and key/value rows are one and the same function."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task, Windows
from gad_lightning.types import Tokens

WIDTH = 5
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
KINDS = pytest.mark.parametrize(
    ("separator", "tokens_per_frame"), [("", 1), (",", 1), ("", 3), (",", 3)], ids=["1", "sep+1", "3", "sep+3"]
)
EXACTNESS = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


class Reader:
    """A tiny backbone and a prompt, with everything random but the seed."""

    def __init__(self, dtype: torch.dtype, window: int, separator: str, tokens_per_frame: int, opener: str) -> None:
        torch.manual_seed(0)
        labels = LabelSet(("background", "add sugar", "add salt"), 0)
        features = FeatureSpec("test", 4.0, WIDTH, tokens_per_frame)
        schema = DataSchema((Task("action", labels),), features=features, windows=Windows(short=window))
        self.backbone = TinyBackbone(hidden_size=32, num_layers=3, max_positions=4096)
        self.prompt = Prompt(separator=separator)
        self.backbone.prepare(schema, self.prompt.texts(schema, opener))
        self.prompt.prepare(schema, self.backbone.vocabulary, opener)
        self.backbone.build()
        self.backbone.to(dtype).eval()
        self.frames = torch.randn(1, 60, tokens_per_frame, WIDTH, dtype=dtype)

    def render(self, frames: Tensor, anchors: list[list[int]], answers: tuple[Tensor, Tensor] | None = None) -> Tokens:
        """Lay out one sample per list of anchors, each with all frames."""
        counts = torch.full((len(frames),), frames.shape[1])
        sample = torch.tensor([row for row, asked in enumerate(anchors) for _ in asked], dtype=torch.int64)
        anchor = torch.tensor([frame for asked in anchors for frame in asked], dtype=torch.int64)
        return self.prompt.render(counts, frames.shape[1], sample, anchor, torch.zeros_like(counts), answers)

    def slots(self, frames: Tensor, anchors: list[list[int]]) -> Tensor:
        """States of all slots."""
        with torch.no_grad():
            tokens = self.backbone.place(self.render(frames, anchors))
            return tokens.at_slots(self.backbone(tokens, frames))


def apart(first: Tensor, second: Tensor) -> float:
    """Largest difference, relative to the largest state."""
    return float((first - second).abs().max() / second.abs().max())


@pytest.fixture(params=["<cls>", "\nAssistant:", "", "]\n<cls>"], ids=["cls", "text", "none", "mixed"])
def opener(request: pytest.FixtureRequest) -> str:
    return request.param


@KINDS
@EXACTNESS
def test_one_pass_with_unlimited_window_equals_separate_passes(
    dtype: torch.dtype, separator: str, tokens_per_frame: int, opener: str
) -> None:
    reader = Reader(dtype, 10_000, separator, tokens_per_frame, opener)
    frames = reader.frames[:, :20]
    together = reader.slots(frames, [list(range(20))])
    alone = torch.cat([reader.slots(frames[:, : end + 1], [[end]]) for end in range(20)])
    assert apart(together, alone) < TOLERANCE[dtype]


@KINDS
@EXACTNESS
def test_frames_outside_the_window_change_nothing_in_one_layer(
    dtype: torch.dtype, separator: str, tokens_per_frame: int
) -> None:
    reader = Reader(dtype, 4, separator, tokens_per_frame, "<cls>")
    reader.backbone.causal_lm.model.layers = reader.backbone.causal_lm.model.layers[:1]
    reader.backbone.config.num_hidden_layers = 1
    frames = reader.frames[:, :12].clone()
    before = reader.slots(frames, [[11]])
    frames[:, :8] += 1
    assert apart(reader.slots(frames, [[11]]), before) < TOLERANCE[dtype]
    frames[:, 8] += 1
    assert apart(reader.slots(frames, [[11]]), before) > 1e-3


@EXACTNESS
def test_plain_causal_path_equals_the_masked_one(dtype: torch.dtype, opener: str) -> None:
    reader = Reader(dtype, 20, "", 1, opener)
    frames = reader.frames[:, :20]
    tokens = reader.backbone.place(reader.render(frames, [[19]]))
    assert tokens.plain
    with torch.no_grad():
        plain = reader.backbone(tokens, frames)
        masked = reader.backbone(tokens._replace(plain=False), frames)
    assert apart(plain, masked) < TOLERANCE[dtype]


@KINDS
@EXACTNESS
def test_key_value_rows_equal_one_pass(dtype: torch.dtype, separator: str, tokens_per_frame: int) -> None:
    reader = Reader(dtype, 6, separator, tokens_per_frame, "<cls>")
    frames = reader.frames[:, :20]
    together = reader.slots(frames, [list(range(20))])
    group = reader.prompt.group
    prompt_length = reader.prompt.trunk_length(0)
    cache = reader.backbone.make_cache(1, prompt_length + 7 * group + 1)
    zero, states = torch.zeros(1, dtype=torch.int64), []
    with torch.no_grad():
        for frame in range(20):
            anchor = torch.tensor([frame])
            begin = torch.tensor([frame if frame else -1])
            tokens = reader.prompt.render(anchor + 1, 1, zero, anchor, zero, begin=begin)
            width = tokens.ids.shape[1] - 1
            start = prompt_length + (frame % 7) * group if frame else 0
            at = torch.cat([torch.arange(start, start + width), torch.tensor([prompt_length + 7 * group])])
            placed = reader.backbone.place(tokens)._replace(plain=False)
            states.append(
                placed.at_slots(reader.backbone(placed, frames[:, frame : frame + 1], cache, at.unsqueeze(0)))
            )
    assert apart(torch.cat(states), together) < TOLERANCE[dtype]


@EXACTNESS
def test_no_sample_sees_another_and_padding_changes_nothing(dtype: torch.dtype, opener: str) -> None:
    reader = Reader(dtype, 5, ",", 2, opener)
    long, short = reader.frames[:, :15], reader.frames[:, 30:37]
    padded = torch.zeros(2, 15, *long.shape[2:], dtype=dtype)
    padded[0], padded[1, :7] = long[0], short[0]
    counts = torch.tensor([15, 7])
    sample, anchor = torch.tensor([1, 0, 0, 1]), torch.tensor([6, 3, 14, 0])
    tokens = reader.backbone.place(reader.prompt.render(counts, 15, sample, anchor, torch.zeros(2, dtype=torch.int64)))
    with torch.no_grad():
        together = tokens.at_slots(reader.backbone(tokens, padded))
    assert apart(together[[1, 2]], reader.slots(long, [[3, 14]])) < TOLERANCE[dtype]
    assert apart(together[[3, 0]], reader.slots(short, [[0, 6]])) < TOLERANCE[dtype]


@EXACTNESS
def test_slots_are_the_same_with_and_without_answers(dtype: torch.dtype, opener: str) -> None:
    reader = Reader(dtype, 5, "", 1, opener)
    frames = reader.frames[:, :10]
    anchors = [[2, 5, 9]]
    answers = torch.tensor([[3, 4, 5], [-1, -1, -1], [6, -1, -1]])
    tokens = reader.backbone.place(reader.render(frames, anchors, (answers, answers >= 0)))
    with torch.no_grad():
        answered = tokens.at_slots(reader.backbone(tokens, frames))
    assert apart(answered, reader.slots(frames, anchors)) < TOLERANCE[dtype]


@EXACTNESS
def test_no_branch_sees_another(dtype: torch.dtype) -> None:
    reader = Reader(dtype, 5, "", 1, "<cls>")
    frames = reader.frames[:, :10]
    both = reader.slots(frames, [[4, 4, 7]])
    assert apart(both[0], both[1]) < TOLERANCE[dtype]
    assert apart(both[2:], reader.slots(frames, [[7]])) < TOLERANCE[dtype]
