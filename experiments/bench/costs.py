"""Operations of a frame and bytes of a live stream at any shape, from what a small classifier is seen to read.

How many tokens pass through the layers, and how many pairs of tokens attend, does not depend on a model's width: it is
counted on the real classifier at the tiny shape, on a CPU. Operations are those of matrix products and attention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from measure import store  # noqa: F401  # isort: skip  # sets how threads wait, before torch is there
from gpu_speed import CHUNK, by_windows, live, one_pass
from shapes import SHAPES
from speed import CLASSES, WIDTHS, prepare
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gad_lightning.classifiers.base import Classifier
from gad_lightning.streaming.streams import ChunkStreams

STREAMS = 64  # as far apart in their chunks as can be
LLAMA_8B: dict[str, Any] = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32} | {
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128_256, "tie_word_embeddings": False
}  # fmt: skip
ALL_SHAPES, ALL_WIDTHS = SHAPES | {"8b": LLAMA_8B}, WIDTHS | {"8b": WIDTHS["1b"]}


class Seen(NamedTuple):
    """What a call puts through the layers."""

    read: int  # tokens that every layer but the last reads
    asked: int  # tokens that ask in the last layer
    fed: int  # tokens that the last layer feeds forward
    pairs: int  # queries times keys of a layer but the last
    last_pairs: int  # of the last
    frames: int  # made into tokens
    labels: int


class _Attending(TorchFunctionMode):
    """Counts query-key pairs times width, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.volumes: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note an attention, and do whatever is done."""
        if func is nn.functional.scaled_dot_product_attention:
            query, key = args[:2]
            self.volumes.append(query[..., 0].numel() * key.shape[2] * query.shape[3])
        return func(*args, **(kwargs or {}))


@contextmanager
def rows_into(modules: dict[str, nn.Module]) -> Iterator[dict[str, int]]:
    """Count the vectors that go into modules, by name."""
    counts = dict.fromkeys(modules, 0)

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        """Count those of one."""

        def add(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            counts[name] += inputs[0][..., 0].numel()

        return add

    handles = [module.register_forward_pre_hook(note(name)) for name, module in modules.items()]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def seen_in(classifier: Classifier, work: Callable[[], Any], labels: int) -> Seen:
    """Watch one call of a classifier with two layers."""
    first, last = classifier.backbone.blocks
    modules = {"read": first.mlp, "asked": last.self_attn.q_proj, "fed": last.mlp.down_proj}
    modules["frames"] = classifier.backbone.connector
    attending, starts = _Attending(), []
    handle = last.register_forward_pre_hook(lambda *_: starts.append(len(attending.volumes)))
    with rows_into(modules) as rows, attending:
        work()
    handle.remove()
    width = head_width(SHAPES["tiny"]) * SHAPES["tiny"]["num_attention_heads"]
    in_last = sum(attending.volumes[starts[0] :])
    pairs = ((sum(attending.volumes) - in_last) // width, in_last // width)
    return Seen(rows["read"], rows["asked"], rows["fed"], *pairs, rows["frames"], labels)


class Cost(NamedTuple):
    """What a shape costs in bfloat16: operations of a labeled frame, bytes of weights and of a live stream."""

    one_pass: float
    window: float
    live: float
    weights: float
    stream: float
    layers: int

    def read_by_push(self, streams: int) -> float:
        """Bytes that a push of so many streams reads, at least: all weights, and what the streams keep."""
        return self.weights + streams * self.stream


def head_width(shape: dict[str, Any]) -> int:
    """Numbers of an attention head."""
    return int(shape.get("head_dim", shape["hidden_size"] // shape["num_attention_heads"]))


def operations(seen: Seen, shape: dict[str, Any], width: int) -> float:
    """Operations of matrix products and attention of a call at a shape, a label; ``width`` of the features."""
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    inner = shape["num_attention_heads"] * head_width(shape)
    kept = shape["num_key_value_heads"] * head_width(shape)
    asking, keeping, feeding = 2 * hidden * inner, 2 * hidden * kept, 3 * hidden * shape["intermediate_size"]
    each = 2 * seen.read * (asking + keeping + feeding) + 4 * seen.pairs * inner
    last = 2 * (seen.asked * asking + seen.read * keeping + seen.fed * feeding) + 4 * seen.last_pairs * inner
    made = 2 * seen.frames * (width * hidden + hidden * hidden) + 2 * seen.labels * hidden * CLASSES
    return float((layers - 1) * each + last + made) / seen.labels


def weights_of(shape: dict[str, Any]) -> int:
    """Numbers of the language model, norms left out."""
    hidden, inner = shape["hidden_size"], shape["num_attention_heads"] * head_width(shape)
    kept = shape["num_key_value_heads"] * head_width(shape)
    layer = 2 * hidden * (inner + kept) + 3 * hidden * shape["intermediate_size"]
    tables = 1 if shape.get("tie_word_embeddings") else 2
    return int(shape["num_hidden_layers"] * layer + tables * shape["vocab_size"] * hidden)


def bytes_of_stream(streams: ChunkStreams, number: int, shape: dict[str, Any]) -> float:
    """Keys and values in bfloat16, and where they stand, of one of so many streams at a shape."""
    rows, room = streams.cache.places.kind.shape
    numbers = 2 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * head_width(shape)
    return rows / number * room * (2 * numbers + 8 * len(streams.cache.places))


@cache
def _seen() -> tuple[dict[str, Seen], ChunkStreams]:
    """What the real classifier reads at the tiny shape, one call each way, and its streams."""
    classifier = prepare("Disc", "tiny", "one_pass", CHUNK, "cpu", dtype="float32").eval()
    classifier.backbone.merge()
    whole = prepare("Disc", "tiny", "window", CHUNK, "cpu", dtype="float32").eval()
    whole.backbone.merge()
    found = {}
    for name, made, (work, labels) in (
        ("one_pass", classifier, one_pass(classifier, WIDTHS["tiny"], 1)),
        ("window", whole, by_windows(whole, WIDTHS["tiny"], 4)),
        ("live", classifier, live(classifier, WIDTHS["tiny"], STREAMS)),
    ):
        work()  # streams begin
        found[name] = seen_in(made, work, labels)
    return found, ChunkStreams(classifier, STREAMS, 0)


def cost_of(name: str) -> Cost:
    """What a shape costs, Disc in the window of the other benchmarks: a key of ``ALL_SHAPES``."""
    seen, streams = _seen()
    shape, width = ALL_SHAPES[name], ALL_WIDTHS[name]
    ways = (operations(seen[way], shape, width) for way in ("one_pass", "window", "live"))
    kept = bytes_of_stream(streams, STREAMS, shape)
    return Cost(*ways, 2 * weights_of(shape), kept, shape["num_hidden_layers"])
