"""Weights from the Hugging Face hub: downloaded once for all processes, pinned, and never any code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gad_lightning.backbones.decoder import check_config
from gad_lightning.backbones.weights.gguf import ENDING, Loaded, gguf_file, read_gguf
from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
"""Files of a repository that are fetched: no pickles, no Python."""
COMMIT = re.compile(r"[0-9a-f]{40}")
LOCKS = ".locks"


def snapshot(name: str, revision: str | None = None, refresh: bool = False, weights: bool = True) -> Path:
    """Find the folder, or the GGUF file, of a model; one that is on the hub is downloaded if the cache has it not.

    Of several processes that share a cache, one downloads and the others wait for it. What the cache has of the asked
    revision is used without asking the hub, so that all processes read the same and ``HF_HUB_OFFLINE`` changes nothing.

    Args:
        name: folder, GGUF file, or ``owner/name`` on the hub.
        revision: branch, tag or commit; the main branch by default.
        refresh: ask the hub whether the branch has moved.
        weights: whether it must hold a model's weights.

    Raises:
        MissingDataError: if there is no such folder or model, its license was not accepted, or nobody answers.
    """
    here = Path(name).expanduser()
    if here.is_dir() or (here.suffix == ENDING and here.is_file()):
        return here
    if _is_path(name) or here.suffix == ENDING:
        what = "file" if here.suffix == ENDING else "folder"
        raise MissingDataError(f"There is no {what} {name}.", "check the path of the model")
    found = None if refresh else _cached(name, revision, weights)
    return found or _download(name, revision, refresh, weights)


def _is_path(name: str) -> bool:
    """Whether a name can only be meant as a folder."""
    return name.startswith((".", "/", "~", "\\")) or name.count("/") > 1


def _cached(name: str, revision: str | None, weights: bool) -> Path | None:
    """The snapshot that the cache has, if it is whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(name, revision=revision, allow_patterns=[*WANTED], local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return found if not weights or _has_weights(found) else None


def _has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, all parts of them."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / part).is_file() for part in parts)
    return any(folder.glob("*.safetensors"))


def _download(name: str, revision: str | None, refresh: bool, weights: bool) -> Path:
    """Download a snapshot, unless another process has just done so."""
    from filelock import FileLock
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    transport: type[Exception] = HfHubHTTPError.__bases__[0]  # of whatever HTTP client the hub's package uses
    locks = Path(constants.HF_HUB_CACHE) / LOCKS
    try:
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"gad-lightning--{name.replace('/', '--')}.lock"):
            found = None if refresh else _cached(name, revision, weights)
            return found or Path(snapshot_download(name, revision=revision, allow_patterns=[*WANTED]))
    except (OSError, transport, HFValidationError) as error:
        raise _explain(name, revision, error) from error


def _explain(name: str, revision: str | None, error: Exception) -> GadError:
    """Say why a model could not be downloaded, and what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"{constants.ENDPOINT}/{name}"
    log_in = "log in with `hf auth login` (on a cluster: set HF_TOKEN)"
    if isinstance(error, GatedRepoError):
        return MissingDataError(
            f"The weights of {name} are under a license that this account has not accepted.",
            f"accept it at {page}, then {log_in}",
        )
    if isinstance(error, RepositoryNotFoundError):
        return MissingDataError(
            f"There is no model {name!r}, or it is private or under a license and nobody is logged in.",
            f"check the name; if {page} exists, accept its license there, then {log_in}",
        )
    if isinstance(error, RevisionNotFoundError):
        return MissingDataError(f"{name} has no revision {revision!r}.", f"choose one of {page}/commits")
    if constants.is_offline_mode():
        return MissingDataError(
            f"{name} is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set.",
            "run `gad-lightning fetch --config ...` on a machine with a network and the same cache (HF_HOME)",
        )
    if isinstance(error, ValueError):
        return SettingError(f"{name!r} is no name of a model: {error}", "give a folder, or owner/name on the hub")
    return MissingDataError(
        f"{name} could not be downloaded: {error}",
        "check the path of a folder, or network and room in the cache (HF_HOME); what has arrived is kept",
    )


def upload(folder: Path, repository: str, private: bool) -> str:
    """Write a folder to a repository of models, made if it is not there.

    Args:
        folder: its files.
        repository: ``owner/name``.
        private: whether a repository made here is seen by its owner only.

    Returns:
        Address of the commit.

    Raises:
        SettingError: if nobody is logged in, or the hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    transport: type[Exception] = HfHubHTTPError.__bases__[0]
    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repository, folder_path=folder).commit_url)
    except (OSError, ValueError, transport) as error:
        raise SettingError(
            f"{repository} could not be written: {error}",
            "log in with `hf auth login` and a token that may write there (on a cluster: set HF_TOKEN)",
        ) from error


def commit_of(folder: Path) -> str | None:
    """The commit that a snapshot of the hub is of; None for other folders.

    Example:
        >>> commit_of(Path("models--a--b/snapshots") / ("0" * 40))
        '0000000000000000000000000000000000000000'
    """
    from_hub = folder.parent.name == "snapshots" and COMMIT.fullmatch(folder.name)
    return folder.name if from_hub else None


def read_model(folder: Path, auto_class: str, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Read model and tokenizer of a folder or a GGUF file; code that lies beside the weights never runs.

    Args:
        folder: of a model in the Hugging Face layout, or with a GGUF file, or that file.
        auto_class: class of transformers that picks the model's own.
        dtype: number format of the weights.

    Raises:
        SettingError: if ``auto_class`` has no class for it, its layers do not go by a mask, or it is an adapter.
        DataError: if weights are damaged or missing.
    """
    _refuse_adapter(folder)
    file = gguf_file(folder)
    found = _read_folder(folder, auto_class, dtype) if file is None else read_gguf(file, auto_class, dtype)
    if found.missing:
        raise DataError(
            f"{folder} lacks {len(found.missing)} of the weights of a {type(found.model).__name__}, first "
            f"{found.missing[0]!r}: they would be random, and no checkpoint would keep them.",
            "take the whole language model, with the head that writes tokens (no folder of a classifier)",
        )
    return found.model, found.tokenizer


def _read_folder(folder: Path, auto_class: str, dtype: torch.dtype) -> Loaded:
    """Read a folder in the Hugging Face layout; raises as :func:`read_model` does."""
    import transformers
    from safetensors import SafetensorError

    make = getattr(transformers, auto_class)
    try:
        check_config(transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False), folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model, info = make.from_pretrained(folder, dtype=dtype, trust_remote_code=False, output_loading_info=True)
    except SafetensorError as error:
        raise DataError(f"The weights in {folder} are damaged: {error}", "fetch them again") from error
    except (OSError, ValueError, KeyError) as error:
        raise SettingError(
            f"{folder} cannot be used as a language model: {error}",
            "take a model whose class transformers has, with its tokenizer",
        ) from error
    except RuntimeError as error:  # weights of other shapes than the config says
        raise DataError(f"The weights in {folder} do not fit its config.json: {error}", "fetch them again") from error
    return Loaded(model, tokenizer, sorted(info["missing_keys"]))


def _refuse_adapter(folder: Path) -> None:
    """Refuse a folder of peft, or a base beside an adapter, which would be put under our LoRA without a word.

    Raises:
        SettingError: naming the file.
    """
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        raise SettingError(
            f"{folder} holds a LoRA adapter ({adapter.name}), not a whole language model.",
            "merge it first (peft: model.merge_and_unload().save_pretrained(...)) and give that folder; to go on from "
            "a classifier of this library, use init_from",
        )
