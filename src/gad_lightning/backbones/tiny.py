"""A small random decoder with a word tokenizer: for the demo, tests and notebooks; nothing to download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.connector import Connector, MLPConnector
from gad_lightning.errors import SettingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SPARE = 64
"""Tokens kept free, for words to come."""
MOST_WEIGHTS = 250_000_000
"""A description of a few bytes could name any size."""


class TinyBackbone(CausalLM):
    """A Llama of random weights, trained whole, whose words are those of the class names, goals and prompts.

    Args:
        hidden_size: H.
        num_layers: decoder layers.
        num_heads: attention heads; half as many for keys and values.
        max_positions: positions the model can hold.
        connector: factory ``(D, H) -> Connector``.
        lora: as in :class:`CausalLM`; None trains the whole decoder, the sensible choice for random weights.
        lora_on_head: as in :class:`CausalLM`.
        seed: of the random weights: the base of a LoRA must be made again alike.

    Raises:
        SettingError: if it would have more than 250 million weights, or a size that no model has.
    """

    training_only: ClassVar[tuple[str, ...]] = (*CausalLM.training_only, "seed")

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        max_positions: int = 2048,
        connector: Callable[[int, int], Connector] = MLPConnector,
        lora: dict[str, Any] | None = None,
        lora_on_head: bool = False,
        seed: int = 0,
    ) -> None:
        sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "num_heads": num_heads}
        for name, value in {**sizes, "max_positions": max_positions}.items():
            if type(value) is not int or value < 1:
                raise SettingError(f"TinyBackbone.{name} is {value!r}.", "set it to a whole number above 0")
        if hidden_size % (2 * num_heads):
            raise SettingError(
                f"TinyBackbone.hidden_size is {hidden_size}, which is no multiple of 2 * num_heads = {2 * num_heads}.",
                "change one of them: every head needs an even number of values",
            )
        rank = lora.get("r", 8) if lora else 0
        size = num_layers * (13 * hidden_size**2 + 20 * hidden_size * rank) if isinstance(rank, int) else 0
        if size > MOST_WEIGHTS:
            raise SettingError(
                f"A TinyBackbone of hidden_size {hidden_size} and num_layers {num_layers} would have {size:,} weights; "
                f"{MOST_WEIGHTS:,} are the most.",
                "make it smaller, or use a CausalLM",
            )
        super().__init__("tiny", lora=lora, lora_on_head=lora_on_head, connector=connector)
        self.shape = (hidden_size, num_layers, num_heads, max_positions)
        self.seed = seed

    def load(self, texts: Sequence[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """Make the model and its tokenizer."""
        from transformers import LlamaConfig, LlamaForCausalLM

        tokenizer = word_tokenizer(texts)
        hidden, layers, heads, positions = self.shape
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=3 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads // 2 if heads % 2 == 0 else 1,
            max_position_embeddings=positions,
            initializer_range=hidden**-0.5 / 2,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            attn_implementation="sdpa",
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = LlamaForCausalLM(config)
        return model, tokenizer


def word_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerBase:
    r"""Make a tokenizer whose tokens are the words and marks of ``texts``, in order of first use.

    Unknown words become one ``<unk>``; ``SPARE`` tokens are left for a user's own.

    Example:
        >>> tokenizer = word_tokenizer(["add sugar", "add salt\n"])
        >>> tokenizer.convert_ids_to_tokens(tokenizer.encode(" add salt"))
        ['add', 'salt']
    """
    from tokenizers import Regex, Tokenizer, decoders
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Sequence as Chain
    from tokenizers.pre_tokenizers import Split, WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    split = Chain([WhitespaceSplit(), Split(Regex(r"\w+|[^\w\s]"), "isolated")])
    # Python's own \w knows no combining marks, which Hindi, Thai and pointed Hebrew are written with
    words = dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    names = ["<unk>", "<s>", "</s>", *words, *(f"<spare{index}>" for index in range(SPARE))]
    tokenizer = Tokenizer(WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )
