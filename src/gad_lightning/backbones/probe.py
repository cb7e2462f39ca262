"""A language model is tried once, at load: whether it goes by the mask, reads alike live and in one pass, and packed.

Recurrent and convolution layers do not know a mask: every slot of one pass would see the frames after it. The trial is
six forward passes over 106 tokens in all, in evaluation mode, without touching any random state, once for each config
in a process: 0.14 s for two layers of width 64 on two busy CPU cores. Each pass reads all weights once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gad_lightning.backbones.attention import BRANCH, FRAME, PAD, PROMPT
from gad_lightning.backbones.decoder import CHOOSE, OwnLogits, Tail, decoder_of, difference, find_tail, layers_of
from gad_lightning.backbones.execution.blocks import NAME, dense_mask, register
from gad_lightning.backbones.execution.kv_cache import KVCache
from gad_lightning.backbones.execution.last_layer import feed_forward_at
from gad_lightning.errors import SettingError
from gad_lightning.types import Places

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WINDOW = 2
"""Frames that a query of the trial looks back on."""
TRUNK = (
    (PROMPT, -1, -1, 0),
    (PROMPT, -1, -1, 1),
    (PROMPT, -1, -1, 2),
    (FRAME, 0, -1, 3),
    (FRAME, 1, -1, 4),
    (FRAME, 2, -1, 5),
)
BRANCHES = tuple((BRANCH, frame, frame, 4 + frame + more) for frame in range(3) for more in range(2))
SCENE = TRUNK + BRANCHES
"""Three tokens of prompt, three frames, and a branch of two tokens after each: kind, frame, branch, position."""
EARLY = [0, 1, 2, 3, 6, 7]
"""What comes before the second frame: prompt, first frame, its branch."""
REST = [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]
"""What does not belong to the first branch."""
FOREIGN = ((PROMPT, -1, -1, 0), (PROMPT, -1, -1, 1), (PROMPT, -1, -1, 2), (FRAME, 0, -1, 3))
"""Another sample, which stands before the scene in a packed row."""
PADDING = ((PAD, -1, -1, 0),) * len(FOREIGN)
TEXT = [0, 1, 2, 3, 4, 8, 9]
"""Prompt, two frames and the second branch: with that window, plain causal attention."""
NAMES = ("vocab_size", "_name_or_path")
"""Settings of a config that say nothing of its layers."""
WRONG_CALLS = (TypeError, AttributeError, ValueError, RuntimeError, NotImplementedError, LookupError, AssertionError)
"""What models raise that cannot be fed input vectors, masks, positions or our cache."""


_TRIED: dict[str, Tail] = {}
"""What was found for each class and config, in this process."""


def try_out(model: PreTrainedModel, ids: Sequence[int]) -> Tail:
    """Let the model attend by our rule from now on, and check that it does, once for each config.

    Args:
        model: a Hugging Face model with its weights, before anything is put on or quantized.
        ids: tokens of a text, a few different ones.

    Returns:
        How its logits come from its states.

    Raises:
        SettingError: naming the type of layers that does not go by the rule, or what else is not as it must be.
    """
    decoder = decoder_of(model)
    layers_of(decoder)
    kind = _kind_of(model)
    if kind in _TRIED:
        _use_blocks(decoder)
        return _TRIED[kind]
    with _resting(model):
        try:
            text = torch.tensor(list(ids), device=decoder.device)[torch.arange(len(TEXT)) % len(ids)]
            decoder.set_attn_implementation("eager")
            own = _own_logits(model, text)
            _use_blocks(decoder)
            found = _TRIED[kind] = _try(model, decoder, text, own)
        except WRONG_CALLS as error:
            raise SettingError(
                f"{type(model).__name__} cannot be fed vectors, a mask and positions as other decoders are: {error}",
                CHOOSE,
            ) from error
    return found


def _kind_of(model: PreTrainedModel) -> str:
    """Class, number format and config of a model, without what its layers do not depend on."""
    config = model.config.get_text_config().to_dict()
    kept = {name: value for name, value in config.items() if not name.endswith("_token_id") and name not in NAMES}
    return f"{type(model).__name__} {model.dtype} {json.dumps(kept, sort_keys=True, default=str)}"


def _try(model: PreTrainedModel, decoder: PreTrainedModel, text: Tensor, own: OwnLogits) -> Tail:
    """Compare every way of reading; see :func:`try_out`."""
    exact = decoder.dtype == torch.float32
    leak, rounding = (1e-5, 1e-3) if exact else (3e-2, 1e-1)
    vectors, places = _scenes(model.get_input_embeddings()(text))

    def read_all() -> Tensor:
        """States of all rows at once."""
        return _read(decoder, vectors, places, dense_mask(places, places, WINDOW))

    states = read_all()
    scene, size = states[0, : len(SCENE)], len(SCENE)
    for what, row, columns in (("later frames", 1, EARLY), ("a branch before it", 2, REST)):
        moved = difference(states[row, columns], scene[columns])
        if not moved <= leak:
            wrong = _first_moved(decoder, read_all, row, columns, leak)
            raise SettingError(
                f"The {wrong} layers of {type(model).__name__} do not go by the attention mask: {what} change a slot's "
                f"state by {moved:.1%}. In one pass a slot would see the future.",
                CHOOSE,
            )
    plain = decoder(inputs_embeds=vectors[4:, : len(TEXT)], use_cache=False).last_hidden_state[0]
    tried = {
        "beside another sample in one row": (states[3, -size:], scene),
        "without a mask": (plain, states[4, : len(TEXT)]),
        "live, frame by frame": (_read_live(decoder, vectors[:1], places), scene[len(TRUNK) :]),
    }
    for how, (found, wanted) in tried.items():
        if not difference(found, wanted) <= rounding:
            raise SettingError(
                f"{type(model).__name__} reads otherwise {how}: its states differ by {difference(found, wanted):.1%}.",
                CHOOSE,
            )
    return find_tail(model, plain, own, rounding)


@contextmanager
def _resting(model: nn.Module) -> Iterator[None]:
    """In evaluation mode and without gradients, for as long as the block lasts."""
    training = model.training
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        model.train(training)


def _scenes(text: Tensor) -> tuple[Tensor, Places]:
    """Make five rows (5, 16, H): the scene; other later frames; another first branch; packed; the vectors of a text."""
    draw = torch.Generator().manual_seed(0)
    width, spread = len(SCENE) + len(FOREIGN), float(text.float().std())
    vectors = torch.randn(1, width, text.shape[-1], generator=draw).repeat(5, 1, 1)
    others = torch.randn(3, width, text.shape[-1], generator=draw)
    later = [column for column in range(len(SCENE)) if column not in EARLY]
    vectors[1, later], vectors[2, 6:8] = others[0, later], others[1, 6:8]
    vectors[3] = torch.cat([others[2, : len(FOREIGN)], vectors[0, : len(SCENE)]])
    vectors = vectors.to(text) * spread
    vectors[4, : len(TEXT)] = text
    rest = width - len(TEXT)
    rows = [SCENE + PADDING] * 3 + [FOREIGN + SCENE] + [tuple(SCENE[at] for at in TEXT) + ((PAD, -1, -1, 0),) * rest]
    kind, frame, branch, position = torch.tensor(rows, device=text.device).unbind(-1)
    sample = torch.zeros_like(kind)
    sample[3, : len(FOREIGN)] = 1
    return vectors, Places(kind, sample.where(kind != PAD, -1), frame, branch, position)


def _read(
    decoder: PreTrainedModel, vectors: Tensor, places: Places, mask: Tensor, cache: KVCache | None = None
) -> Tensor:
    """States (R, T, H) of vectors that stand at places."""
    read = decoder(
        inputs_embeds=vectors,
        attention_mask=mask,
        position_ids=places.position,
        past_key_values=cache,
        use_cache=False,
    )
    states: Tensor = read.last_hidden_state
    return states


def _read_live(decoder: PreTrainedModel, vectors: Tensor, places: Places) -> Tensor:
    """States (6, H) of the branches of the scene, read frame by frame with a cache, as a live stream is."""
    cache, states = KVCache(1, len(SCENE), vectors.device), []
    for columns in ([0, 1, 2, 3, 6, 7], [4, 8, 9], [5, 10, 11]):
        at = torch.tensor([columns], device=vectors.device)
        new = Places(*(part[:1].gather(1, at) for part in places))
        mask = dense_mask(new, cache.admit(new, at), WINDOW)
        branch = torch.arange(len(columns) - 2, len(columns), device=vectors.device)
        with feed_forward_at(layers_of(decoder)[-1], branch):
            states.append(_read(decoder, vectors[:, columns], new, mask, cache)[0, -2:])
    return torch.cat(states)


def _first_moved(
    decoder: PreTrainedModel, read_all: Callable[[], Tensor], row: int, columns: list[int], leak: float
) -> str:
    """Type of the first part of a layer whose output moves at ``columns`` between the first row and ``row``."""
    moved: list[str] = []

    def look(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        """Note the part if its output moves."""
        states = output if isinstance(output, Tensor) else output[0]
        if states.dim() == 3 and not difference(states[row, columns], states[0, columns]) <= leak:
            moved.append(type(part).__name__)

    handles = [part.register_forward_hook(look) for layer in layers_of(decoder) for part in (*layer.children(), layer)]
    try:
        read_all()
    finally:
        for handle in handles:
            handle.remove()
    return moved[0] if moved else type(decoder).__name__


def _own_logits(model: PreTrainedModel, ids: Tensor) -> OwnLogits:
    """Let the unmodified model read ``ids`` (n,) by its own attention, and note which layers it calls on the way."""
    decoder, head = decoder_of(model), model.get_output_embeddings()
    called: list[str] = []
    between = {
        name: part
        for name, part in model.named_children()
        if part is not head and not any(inner is decoder for inner in part.modules())
    }
    with _watched(between, called.append):
        logits = model(input_ids=ids.unsqueeze(0), use_cache=False).logits[0]
    return OwnLogits(logits.float(), tuple(called))


@contextmanager
def _watched(parts: dict[str, nn.Module], note: Callable[[str], None]) -> Iterator[None]:
    """Note the name of each part that is called while the block lasts."""

    def hook(name: str) -> Callable[..., None]:
        """What notes one part."""
        return lambda *_: note(name)

    handles = [part.register_forward_hook(hook(name)) for name, part in parts.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _use_blocks(model: PreTrainedModel) -> None:
    """Let a Hugging Face model attend by :func:`_attend`."""
    register()
    model.set_attn_implementation(NAME)
