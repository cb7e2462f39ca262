"""Language models in a GGUF file, the format of llama.cpp: read once, and turned into plain weights."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gad_lightning.backbones.decoder import check_config
from gad_lightning.errors import DataError, SettingError
from gad_lightning.optional import need

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ENDING = ".gguf"
MAGIC = b"GGUF"
"""The first bytes of every such file."""


class Loaded(NamedTuple):
    """What a folder or file of a language model holds."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    missing: list[str]  # names of weights that it lacks, in order


def gguf_file(path: Path) -> Path | None:
    """Find the GGUF file that a path means: the file itself, or the only one in a folder without a ``config.json``.

    Args:
        path: a file or a folder.

    Returns:
        The file; None if the path means a model in the Hugging Face layout.

    Raises:
        SettingError: if a folder has several.
    """
    if path.suffix == ENDING and path.is_file():
        return path
    if not path.is_dir() or (path / "config.json").is_file():
        return None
    found = sorted(path.glob(f"*{ENDING}"))
    if len(found) > 1:
        raise SettingError(
            f"{path} has {len(found)} GGUF files: {', '.join(file.name for file in found)}.",
            "give one of them as backbone.language_model; parts of one model are joined by `llama-gguf-split --merge`",
        )
    return found[0] if found else None


def read_gguf(file: Path, auto_class: str, dtype: torch.dtype) -> Loaded:
    """Read model and tokenizer of a GGUF file; its weights, of 2 to 32 bits, become plain numbers of ``dtype``.

    Args:
        file: in GGUF, with its tokenizer.
        auto_class: class of transformers that picks the model's own.
        dtype: number format of the weights.

    Raises:
        SettingError: if the package ``gguf`` is not installed, or transformers cannot read this architecture.
        DataError: if the file is damaged.
    """
    import transformers
    from transformers.utils.quantization_config import GgufConfig

    with _explained(file):
        name, folder = {"gguf_file": file.name}, file.parent
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, **name)
        check_config(config, file)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **name)
        model, info = getattr(transformers, auto_class).from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            quantization_config=GgufConfig(dequantize=True),
            trust_remote_code=False,
            output_loading_info=True,
            **name,
        )
    return Loaded(model, tokenizer, sorted(info["missing_keys"]))


def read_gguf_tokenizer(file: Path) -> PreTrainedTokenizerBase:
    """Read the tokenizer of a GGUF file alone.

    Raises:
        SettingError, DataError: as :func:`read_gguf` does.
    """
    from transformers import AutoTokenizer

    with _explained(file):
        found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, trust_remote_code=False
        )
    return found


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read as long as the block lasts.

    Raises:
        SettingError: if the package that reads it is not there, or the architecture is not known.
        DataError: if it is damaged.
    """
    need("gguf", extra="gguf", why=f"to read {file.name}")
    with file.open("rb") as opened:
        begins = opened.read(len(MAGIC))
    if begins != MAGIC:
        raise DataError(f"{file} is no GGUF file: it begins with {begins!r}.", "fetch it again")
    try:
        yield
    except (ValueError, NotImplementedError, OSError, LookupError, struct.error) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "support" in told or "Unrecognized" in told:
            raise SettingError(
                f"transformers cannot use {file} as a language model: {told}",
                "take the same model as a Hugging Face folder, or a GGUF file of another architecture (Llama, Qwen2, "
                "Qwen3, Gemma 2, Mistral and Phi-3 are known)",
            ) from error
        raise DataError(f"{file} cannot be read: {told}", "fetch it again; it may have arrived in part") from error
