"""Classifiers as folders and hub repositories: safetensors, plain JSON and a model card; nothing that runs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gad_lightning.atomic import make_folder
from gad_lightning.backbones.weights.hub import snapshot, upload
from gad_lightning.backbones.weights.light import Weights
from gad_lightning.classifiers.finite import check_weights
from gad_lightning.classifiers.saving.checkpoint import KEY, TrainedWeights, read_checkpoint
from gad_lightning.classifiers.saving.digest import KEY as DIGEST
from gad_lightning.classifiers.saving.digest import check_digest, digest_of
from gad_lightning.classifiers.saving.model_card import CardFacts, model_card
from gad_lightning.classifiers.saving.warm_start import WarmStart, warm_start
from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.redact import redact

DESCRIPTION, CARD = "gad_lightning.json", "README.md"
WEIGHTS, ADAPTER = "classifier.safetensors", "adapter_model.safetensors"


class Shareable(TrainedWeights):
    """Mixin of the classifiers: written to a folder or the hub, read from there, and begun from another's weights."""

    def save_pretrained(self, folder: str | Path, facts: CardFacts | None = None) -> Path:
        """Write what was trained: the LoRA as peft has it, the rest beside it, a description, and a model card.

        ``PeftModel.from_pretrained(base, folder)`` reads the LoRA without this library.

        Args:
            folder: made if it is not there; files of these names are replaced.
            facts: what the model card says of data, license and use.

        Raises:
            SettingError: if the LoRA is merged, or the folder cannot be written.
            NotFiniteError: if a weight is nan or infinite.
        """
        target = make_folder(Path(folder))
        state = {name: weight.detach().cpu().contiguous() for name, weight in self.trained_state().items()}
        check_weights(state)
        with tempfile.TemporaryDirectory(dir=target, prefix=".part-") as part:
            written = Path(part)
            names = {f"backbone.{ours}": peft for ours, peft in self.backbone.adapter_names().items()}
            if names:
                self.backbone.save_adapter_config(written)
                save_file({peft: state[ours] for ours, peft in names.items()}, written / ADAPTER)
            save_file({ours: weight for ours, weight in state.items() if ours not in names}, written / WEIGHTS)
            about = {**self.about(), "adapter": names}
            about[DIGEST] = digest_of(about, state)
            (written / CARD).write_text(model_card(self, facts or CardFacts()), encoding="utf-8")
            (written / DESCRIPTION).write_text(json.dumps(about, indent=1), encoding="utf-8")
            for path in sorted(written.iterdir(), key=lambda path: path.name == DESCRIPTION):  # that one last
                os.replace(path, target / path.name)
        return target

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path,
        revision: str | None = None,
        map_location: str | torch.device = "cpu",
        allowed: Sequence[str] = ALLOWED_PACKAGES,
        weights: Weights | None = None,
    ) -> Self:
        """Make the classifier of a folder written by :meth:`save_pretrained`, a hub repository, or a checkpoint.

        Args:
            name_or_folder: ``owner/name`` on the hub, a folder, a .ckpt file, or the URL of one.
            revision: of the repository.
            map_location: device.
            allowed: packages whose classes it may name; add your own package's for your own parts.
            weights: ``int8`` or ``int4`` holds the frozen layers so, for inference on a CPU, with the LoRA merged.

        Raises:
            MissingDataError: if there is no such folder, repository or file.
            CheckpointError: if it is damaged, or describes a classifier of another class than this one.
        """
        return cls.made_again(
            _read_source(name_or_folder, revision), redact(str(name_or_folder)), map_location, allowed, weights
        )

    def push_to_hub(self, repository: str, facts: CardFacts, private: bool = True) -> str:
        """Write the folder of :meth:`save_pretrained` to the hub.

        Args:
            repository: ``owner/name``; made if it is not there.
            facts: for the model card; the data's license and the intended use must be given.
            private: whether a repository made here is seen by its owner only.

        Returns:
            Address of the commit.

        Raises:
            SettingError: if a fact is missing, nobody is logged in, or the hub refuses.
        """
        for what in ("data_license", "intended_use"):
            if not getattr(facts, what):
                raise SettingError(
                    f"The model card has no {what}, and what is shared needs one.", f"pass CardFacts({what}=...)"
                )
        with tempfile.TemporaryDirectory() as folder:
            return upload(self.save_pretrained(folder, facts), repository, private)

    def init_from(self, source: str | Path, revision: str | None = None, other_settings: bool = False) -> WarmStart:
        """Begin from another classifier's weights: LoRA and connector as they are, head rows by class name.

        Args:
            source: a .ckpt file or its URL, a folder of :meth:`save_pretrained`, or a hub repository.
            revision: of the repository.
            other_settings: whether backbone, prompt or windows may differ in what changes the weights' meaning.

        Returns:
            What was taken over, and which classes are new.

        Raises:
            MissingDataError: if there is no such source.
            CheckpointError: if it has another base, LoRA, kind of features, prompt or windows.
        """
        content = _read_source(source, revision)
        return warm_start(self, content, redact(str(source)), other_settings or self.other_settings)


def _is_checkpoint(source: str | Path) -> bool:
    """Whether a classifier's source is a checkpoint, a file or a URL; if not it is a folder or a hub repository.

    Example:
        >>> _is_checkpoint("runs/best.ckpt"), _is_checkpoint("https://a.org/x"), _is_checkpoint("owner/name")
        (True, True, False)
    """
    return "://" in str(source) or Path(source).suffix == ".ckpt" or Path(source).expanduser().is_file()


def is_on_hub(source: str | Path) -> bool:
    """Whether a classifier's source is no file, folder or URL, so that only the hub can have it."""
    return not _is_checkpoint(source) and not Path(source).expanduser().exists()


def _read_source(source: str | Path, revision: str | None) -> dict[str, Any]:
    """The content of a checkpoint, wherever a classifier may come from: a file, a URL, a folder, the hub."""
    if _is_checkpoint(source):
        return read_checkpoint(source)
    return _read_shared(snapshot(str(source), revision, weights=False))


def _read_shared(folder: Path) -> dict[str, Any]:
    """Read a folder as the content of a checkpoint.

    Raises:
        MissingDataError: if a file is missing.
        CheckpointError: if a file is damaged, or is not of the same time as the others.
    """
    description = folder / DESCRIPTION
    if not description.is_file():
        raise MissingDataError(
            f"{folder} holds no classifier: there is no {DESCRIPTION}.", "give a folder written by save_pretrained"
        )
    try:
        about = json.loads(description.read_text(encoding="utf-8"))
        if not isinstance(about, dict) or not isinstance(about["adapter"], dict):
            raise ValueError("it has no object of names")
        names: dict[str, str] = about["adapter"]
        state = _read_tensors(folder / WEIGHTS)
        adapter = _read_tensors(folder / ADAPTER) if names else {}
        state |= {ours: adapter[peft] for ours, peft in names.items()}
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{description} is damaged or does not fit the weights beside it: {error!r}", "fetch or save it again"
        ) from error
    check_digest(about, state, str(folder))
    kept = {name: value for name, value in about.items() if name not in ("adapter", DIGEST)}
    return {KEY: kept, "state_dict": state}


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of tensors to the CPU.

    Raises:
        MissingDataError: if it is not there.
        CheckpointError: if it is damaged.
    """
    if not path.is_file():
        raise MissingDataError(f"There is no {path}.", "fetch or save the classifier again")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}", "fetch or save the classifier again") from error
    return tensors
