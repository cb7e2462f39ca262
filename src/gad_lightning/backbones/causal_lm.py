"""Any Hugging Face causal language model, unmodified, fed by input vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from gad_lightning.backbones import lora as adapters
from gad_lightning.backbones.connector import Connector, MLPConnector
from gad_lightning.backbones.decoder import compute_layers_again
from gad_lightning.backbones.decoder_backbone import DecoderBackbone
from gad_lightning.backbones.execution.blocks import dense_mask, register
from gad_lightning.backbones.execution.flex import flex_mask
from gad_lightning.backbones.execution.kv_cache import KVCache
from gad_lightning.backbones.lora import PAPER_LORA
from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.backbones.probe import try_out
from gad_lightning.backbones.quantization import Quantization, cannot, check_quantization, mark_quantized, quantize
from gad_lightning.backbones.text_states import mean_states
from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.backbones.tokenizer import TokenizerVocabulary
from gad_lightning.backbones.weights.fingerprint import digest
from gad_lightning.backbones.weights.hub import commit_of, read_model, snapshot
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part, checked_part
from gad_lightning.schema import DataSchema
from gad_lightning.types import Tokens, Vocabulary

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class CausalLM(DecoderBackbone):
    """Reads prompt and frames with a pretrained decoder (Llama, Qwen2, Qwen3, ...) and a fresh connector.

    Args:
        language_model: hub name, folder, or GGUF file (its weights become plain ones of ``dtype``).
        lora: arguments of ``peft.LoraConfig``; the decoder is frozen beside it. None trains the whole decoder.
        lora_on_head: LoRA on the head that writes tokens too (the paper: for generative and GAD).
        connector: factory ``(D, H) -> Connector``.
        dtype: number format of the frozen decoder; what is trained stays float32.
        revision: of the hub repository.
        quantization: of the frozen decoder (QLoRA); the head and the embedding keep ``dtype``.
        gradient_checkpointing: compute each layer again in the backward pass instead of keeping its activations.
        attention: ``flex`` runs one pass by FlexAttention, whose CUDA kernel skips what is hidden; it wants heads of at
            least 16 numbers, and a CPU has no backward pass for it. ``sdpa`` skips on a CPU, block by block.

    Raises:
        SettingError: if the decoder is to be quantized and trained, or the LoRA begins by chance.

    Source: Pang et al., ICLR 2026, section 4: Llama-3.2-1B-Instruct, LoRA r 128, alpha 256, dropout 0.05.
    """

    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    training_only: ClassVar[tuple[str, ...]] = (
        "language_model",
        "revision",
        "gradient_checkpointing",
        "attention",
        "lora.lora_dropout",
    )
    rounding: ClassVar[tuple[str, ...]] = ("dtype", "quantization")

    def __init__(
        self,
        language_model: str,
        lora: dict[str, Any] | None = PAPER_LORA,
        lora_on_head: bool = False,
        connector: Callable[[int, int], Connector] = MLPConnector,
        dtype: Literal["float32", "bfloat16"] = "float32",
        revision: str | None = None,
        quantization: Quantization | None = None,
        gradient_checkpointing: bool = False,
        attention: Literal["sdpa", "flex"] = "sdpa",
    ) -> None:
        super().__init__()
        check_quantization(quantization, lora)
        adapters.check_lora(lora)
        self.language_model = language_model
        self.lora = lora
        self.lora_on_head = lora_on_head
        self.make_connector = connector
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.revision = revision
        self.quantization = quantization
        self.quantized, self.mergeable = quantization is not None, quantization is None
        self.gradient_checkpointing = gradient_checkpointing
        self.attention = attention
        self.commit: str | None = None
        self.new_tokens = NewTokens()
        self.merged = False
        self.lora_layers: list[nn.Module] = []
        self.made_trained: set[str] = set()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Work in a process that did not make this backbone too: spawned, or reading a pickle."""
        register()
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # torch has no annotations there

    def load(self, texts: Sequence[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """Load model and tokenizer; a subclass may make them otherwise, from all the ``texts`` they must know.

        Raises:
            MissingDataError: if there is no such model here and none can be fetched.
            SettingError: if it is no language model of transformers, or needs code of its own.
            DataError: if its weights are damaged.
        """
        folder = snapshot(self.language_model, self.revision)
        self.commit = commit_of(folder)
        model, tokenizer = read_model(folder, self.auto_class, self.dtype)
        self.check_model(model)
        model.config._name_or_path = model.name_or_path = self.language_model
        return model, tokenizer

    def check_model(self, model: PreTrainedModel) -> None:
        """Refuse a loaded model that this backbone cannot use; this one takes all."""

    def fetch(self) -> Path | None:
        """Download the language model, or a newer commit of its branch; None if there is nothing to download."""
        made_here = type(self).load is not CausalLM.load
        return None if made_here else snapshot(self.language_model, self.revision, refresh=True)

    def settings(self) -> dict[str, Any]:
        """Arguments to record: the commit in place of a branch."""
        given = super().settings()
        return {**given, "revision": self.commit} if self.commit else given

    def prepare(self, schema: DataSchema, texts: Sequence[str]) -> None:
        """Load the language model and its tokenizer."""
        model, tokenizer = self.load(texts)
        model.train()  # it comes in eval mode, in which Lightning would leave it and nothing is checkpointed
        self.width = schema.features.width
        self.window = schema.windows.frames
        self.model = model
        self._vocabulary = TokenizerVocabulary(tokenizer, model.get_input_embeddings().num_embeddings, self.new_tokens)
        self.tail = try_out(model, self._vocabulary.ordinary(7))
        self._fingerprint = "" if self.lora is None else digest(model)
        if self.quantization is not None:
            quantize(self.decoder, self.quantization, self.dtype)
            mark_quantized(model, self.quantization)
        if self.gradient_checkpointing:
            compute_layers_again(model)

    def build(self) -> None:
        """Make connector, new tokens and LoRA; freeze the rest."""
        embedding, head = self.model.get_input_embeddings().weight, self.model.get_output_embeddings().weight
        self.new_tokens.build(embedding, head, partial(embed_texts, self))
        self.connector = self.make_connector(self.width, self.hidden_size)
        if self.lora is not None:
            self.model.requires_grad_(False)
            self.model = adapters.add_lora(self.model, self.decoder, self.lora, self.lora_on_head)
            self.lora_layers = adapters.lora_layers(self.model)
            for parameter in self.model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
        # what texts of new tokens mean is not trained, and no checkpoint could do without it
        weights = self.named_parameters()
        self.made_trained = {name for name, one in weights if one.requires_grad or name.startswith("new_tokens.")}

    def made(self) -> dict[str, tuple[Part, int]]:
        """The connector, of whatever class the factory makes."""
        return {"connector": (checked_part(self.connector, Connector, "backbone.connector"), 2)}

    @contextmanager
    def original(self) -> Iterator[PreTrainedModel]:
        """Give the pretrained model as it came, LoRA off and in evaluation mode, for as long as the block lasts.

        Raises:
            SettingError: if the decoder itself was trained, or the LoRA is merged into it or began by changing it.
        """
        if self.built and (self.lora is None or self.merged):
            how = "was trained whole" if self.lora is None else "has the LoRA merged into it"
            raise SettingError(f"The language model {how}: the original is gone.", "train with backbone.lora, unmerged")
        if self.built:
            adapters.check_kept(self.lora)
        training = self.model.training
        try:
            with self.model.disable_adapter() if self.built else nullcontext():
                yield self.causal_lm.eval()
        finally:
            self.model.train(training)

    def text_states(self, texts: Sequence[str]) -> Tensor:
        """Mean of the original model's states over the tokens of each text: (n, H) float32."""
        with self.original() as model:
            return mean_states(model, texts, self.vocabulary)

    @property
    def vocabulary(self) -> Vocabulary:
        """What prompts may know of the tokenizer."""
        return self._vocabulary

    def embed(self, tokens: Tokens, frames: Tensor) -> Tensor:
        """Look up text, new tokens and frames: (R, T, H) in the decoder's number format."""
        size = self.vocabulary.size
        vectors: Tensor = self.causal_lm.get_input_embeddings()(tokens.ids.clamp(max=size - 1)).clone()
        if self.new_tokens.names:
            new = tokens.ids >= size
            rows = self.new_tokens.embed((tokens.ids - size).clamp(min=0)).to(vectors.dtype)
            vectors = torch.where(new.unsqueeze(-1), rows, vectors)
        shown = tokens.visual >= 0
        whole = torch.compiler.is_compiling() and frames.numel() > 0  # in a graph "as many as are shown" is no number
        wanted = tokens.visual.clamp(min=0).flatten() if whole else tokens.visual[shown]
        features = frames.reshape(-1, frames.shape[-1])[wanted]
        mapped = self.connector(features.to(next(self.connector.parameters()).dtype)).to(vectors.dtype)
        if whole:
            vectors = torch.where(shown.unsqueeze(-1), mapped.view_as(vectors), vectors)
        else:
            vectors = vectors.masked_scatter(shown.unsqueeze(-1), mapped)
        return vectors if tokens.added is None else vectors + tokens.added.to(vectors.dtype)

    def forward(self, tokens: Tokens, frames: Tensor, cache: KVCache | None = None, at: Tensor | None = None) -> Tensor:
        """States after the last norm: (R, T, H)."""
        mask: Tensor | BlockMask | None = None
        positions, known = None, tokens.places
        if cache is not None:
            assert at is not None, "a cache needs to know where the new tokens go"
            known = cache.admit(tokens.places, at, alone=tokens.plain)
        if not tokens.plain:
            flex = self.attention == "flex" and cache is None  # a cache has another width at each step
            mask = flex_mask(known, self.window) if flex else dense_mask(tokens.places, known, self.window)
            positions = tokens.places.position
        adapters.follow_autocast(self.lora_layers, tokens.ids.device.type)
        vectors = self.embed(tokens, frames)
        states: Tensor = self.decoder(
            inputs_embeds=vectors, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=False
        ).last_hidden_state
        return states

    def token_logits(self, states: Tensor, ids: Tensor | None = None) -> Tensor:
        """Next-token logits of gathered states: (n, V + K), or (n, k) for ``ids``."""
        size = self.vocabulary.size
        head = self.causal_lm.get_output_embeddings()
        states = self.tail.ready(self.causal_lm, states)
        if ids is None:
            every: Tensor = head(states).float()
            if self.new_tokens.names:
                every = torch.cat([every, self.new_tokens.logits(states).float()], dim=1)
            return self.tail.finish(every)
        known = ids < size
        rows = adapters.some_logits(head, states, ids.clamp(max=size - 1))
        if self.new_tokens.names:
            rows = torch.where(known, rows, self.new_tokens.logits(states).float()[:, (ids - size).clamp(min=0)])
        return self.tail.finish(rows)

    def merge(self) -> float:
        """Fold the LoRA into the weights; see :meth:`Backbone.merge`.

        Raises:
            SettingError: on a quantized base: the sum would be rounded to 4 or 8 bits again.
        """
        if self.quantization is not None:
            raise cannot("a LoRA cannot be merged into it", self.quantization)
        if self.lora is None:
            return 0.0
        self.merged, self.lora_layers = True, []
        return adapters.merge_lora(self.model)

    def trained_state(self) -> dict[str, Tensor]:
        """Weights that are no part of the base, by name: also those that were frozen later.

        Raises:
            SettingError: after :meth:`merge`, when the LoRA is gone into the frozen weights, and if one of the base was
                unfrozen, which no classifier made of these settings has.
        """
        if self.merged:
            held = "" if self.light is None else f", and the frozen ones are {self.light}"
            raise SettingError(
                f"The LoRA is merged: its weights are no longer apart{held}.", "save the classifier before merging"
            )
        weights = dict(self.named_parameters())
        unfrozen = [name for name, weight in weights.items() if weight.requires_grad and name not in self.made_trained]
        if unfrozen:
            raise SettingError(
                f"{len(unfrozen)} weights of the frozen language model are trained, first {unfrozen[0]!r}: no "
                "checkpoint could be read again.",
                "freeze them, or set backbone.lora to null to train it whole",
            )
        return {name: weight for name, weight in weights.items() if name in self.made_trained}

    def adapter_names(self) -> dict[str, str]:
        """Per trained LoRA weight, the name that peft saves it by; empty without LoRA."""
        if self.lora is None:
            return {}
        return adapters.adapter_names(self.model, {f"model.{name}": w for name, w in self.model.named_parameters()})

    def save_adapter_config(self, folder: Path) -> None:
        """Write peft's ``adapter_config.json``, with the base model's name and commit."""
        adapters.save_adapter_config(self.model, folder, self.language_model, self.commit or self.revision)

    def fingerprint(self) -> str:
        """Digest of the frozen decoder; empty where it is trained."""
        return self._fingerprint
