"""The contract of a backbone: tokens and frames in, one state a token out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from gad_lightning.backbones.attention import is_plain
from gad_lightning.backbones.execution.flex import widen
from gad_lightning.backbones.execution.kv_cache import KVCache
from gad_lightning.backbones.execution.last_layer import feed_forward_at
from gad_lightning.backbones.execution.packing import pack
from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.backbones.weights.light import Weights
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part
from gad_lightning.schema import DataSchema
from gad_lightning.types import Tokens, Vocabulary


class Backbone(Part, nn.Module):
    """A frozen or trained language model, the connector in front of it, and its table of new tokens.

    Life: the constructor only keeps settings; :meth:`prepare` loads the model; prompts reserve their new tokens through
    :attr:`vocabulary`; :meth:`build` makes their rows. A classifier does all of that in its own constructor.
    """

    new_tokens: NewTokens
    connector: nn.Module
    window: int
    attention: Literal["sdpa", "flex"] = "sdpa"
    language_model: str = ""  # folder of the language model, or its name on the hub; empty if it was made here
    commit: str | None = None  # of the hub's repository
    mergeable: bool = True  # whether merge() can be called
    merged: bool = False  # whether a LoRA is folded into the weights, which can then not be trained
    light: Weights | None = None  # what :meth:`lighten` was called with
    quantized: bool = False  # whether the frozen weights are held in 4 or 8 bits

    @abstractmethod
    def prepare(self, schema: DataSchema, texts: Sequence[str]) -> None:
        """Load the language model and its tokenizer.

        Args:
            schema: gives the feature width and the window.
            texts: all that prompts and answers may say, for backbones that make their tokenizer from it.
        """

    @abstractmethod
    def build(self) -> None:
        """Make the rows of the reserved new tokens, the connector and the LoRA; freeze what is not trained."""

    @property
    def built(self) -> bool:
        """Whether :meth:`build` was called, and so a classifier has this backbone."""
        return self.new_tokens.built

    @property
    @abstractmethod
    def vocabulary(self) -> Vocabulary:
        """What prompts may know of the tokenizer."""

    @property
    @abstractmethod
    def hidden_size(self) -> int:
        """H."""

    @property
    @abstractmethod
    def max_positions(self) -> int:
        """Largest number of positions the language model was made for."""

    def fix_positions(self, positions: int) -> None:
        """Note how many positions the rows of a classifier have at most: what depends on it is chosen once, here."""
        return

    @property
    @abstractmethod
    def attention_span(self) -> int | None:
        """Tokens that the language model's own sliding window spans; None if it has none."""

    @abstractmethod
    def embed(self, tokens: Tokens, frames: Tensor) -> Tensor:
        """Input vectors: tokens (R, T) and frames (B, F, N, D) -> (R, T, H), ``tokens.added`` added."""

    def visual(self, frames: Tensor) -> Tensor:
        """Visual vectors of frames, of several tokens their mean: (B, F, N, D) -> (B, F, H)."""
        mapped = self.connector(frames.flatten(0, 2).to(next(self.connector.parameters()).dtype))
        vectors: Tensor = mapped.view(*frames.shape[:3], -1).mean(2)
        return vectors

    @abstractmethod
    def forward(self, tokens: Tokens, frames: Tensor, cache: KVCache | None = None, at: Tensor | None = None) -> Tensor:
        """States after the last layer's norm: (R, T, H).

        Args:
            tokens: R rows of T tokens.
            frames: (B, F, N, D), as ``tokens.visual`` counts them.
            cache: earlier tokens; the new ones are written to it.
            at: (R, T) room of the cache for the new tokens.
        """

    def slot_states(
        self, tokens: Tokens, frames: Tensor, cache: KVCache | None = None, at: Tensor | None = None
    ) -> Tensor:
        """States of the slots, (Q, H); arguments as for :meth:`forward`.

        Without gradients, the feed-forward part of the last of :attr:`blocks` runs at the slots alone.
        """
        if not self.blocks or torch.is_grad_enabled():  # checkpointing would run the layer again, without the hooks
            return tokens.at_slots(self(tokens, frames, cache, at))
        with feed_forward_at(self.blocks[-1], tokens.slots):
            return tokens.at_slots(self(tokens, frames, cache, at))

    @abstractmethod
    def token_logits(self, states: Tensor, ids: Tensor | None = None) -> Tensor:
        """Next-token logits of gathered states (n, H).

        Args:
            states: two-dimensional: a head over a (B, 1, H) slice is 100 times slower in bfloat16 on a CPU.
            ids: (k,) the only tokens wanted; all V + K by default.

        Returns:
            (n, V + K), or (n, k) in the order of ``ids``.
        """

    def original(self) -> AbstractContextManager[object]:
        """Be the language model as it came, in evaluation mode, for as long as the block lasts.

        Raises:
            SettingError: if it is gone, or this backbone keeps none.
        """
        raise SettingError(
            f"{type(self).__name__} keeps no language model as it came.", "take a CausalLM with backbone.lora"
        )

    def text_states(self, texts: Sequence[str]) -> Tensor:
        """Vectors of texts as the language model had them before it was trained: (n, H) float32.

        Raises:
            SettingError: if this backbone has none.
        """
        raise SettingError(
            f"{type(self).__name__} gives no vectors of texts.", "set tower of TextHead to a sentence encoder"
        )

    @abstractmethod
    def merge(self) -> float:
        """Fold the LoRA into the weights for inference, in float32.

        Returns:
            The largest relative change of a folded weight by rounding, 0 where the weights are float32.
        """

    def lighten(self, weights: Weights) -> None:
        """Hold the frozen linear layers in 8 or 4 bits from now on, for inference on a CPU; the LoRA is merged first.

        Raises:
            SettingError: if there is no such number format, or this backbone cannot.
        """
        raise SettingError(f"{type(self).__name__} cannot hold its weights in {weights}.", "leave weights out")

    @abstractmethod
    def trained_state(self) -> dict[str, Tensor]:
        """Trained weights by name: LoRA, connector, new tokens, or the whole model where nothing is frozen."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Digest of the untrained base: equal for the same weights in any number format."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Layers in their order, which can be spread over processes; none by default."""
        return ()

    @property
    def decoder(self) -> nn.Module | None:
        """Layers between embedding and head as one module that is called as those of transformers; None if none is."""
        return None

    def adapter_names(self) -> dict[str, str]:
        """Per trained LoRA weight, the name that peft saves it by; empty without LoRA."""
        return {}

    def save_adapter_config(self, folder: Path) -> None:
        """Write peft's ``adapter_config.json``, where there is a LoRA."""
        return

    def place(self, tokens: Tokens, packed: bool = False) -> Tokens:
        """Move tokens laid out on the CPU to this backbone's device, noting first whether they need a mask.

        Args:
            tokens: one row a sample.
            packed: whether short samples may share a row; not for tokens that go to a cache, whose rows are samples.
        """
        plain = is_plain(tokens.places, self.window)
        if packed and not plain:
            tokens = widen(pack(tokens)) if self.attention == "flex" else pack(tokens)
        return tokens.to(next(self.parameters()).device)._replace(plain=plain)

    def make_cache(self, rows: int, room: int) -> KVCache:
        """Empty key/value rows on this backbone's device."""
        return KVCache(rows, room, next(self.parameters()).device)
