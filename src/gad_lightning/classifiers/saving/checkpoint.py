"""Checkpoints hold what was trained, and all that is needed to make the classifier again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Self

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.distributed.tensor import DTensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.weights.light import Weights
from gad_lightning.classifiers.finite import check_weights
from gad_lightning.classifiers.open_world.added_classes import AddedClasses
from gad_lightning.classifiers.optimization import Optimized
from gad_lightning.classifiers.saving.averages import leave_frozen_out, put_frozen_back
from gad_lightning.classifiers.saving.classes import added_names, check_classes
from gad_lightning.classifiers.saving.differences import Difference, differences, tell_differences
from gad_lightning.classifiers.saving.digest import KEY as DIGEST
from gad_lightning.classifiers.saving.digest import check_digest, digest_of
from gad_lightning.classifiers.saving.readable import check_readable, readable_part
from gad_lightning.classifiers.saving.recorded_optimizer import RecordedOptimizer
from gad_lightning.classifiers.standardization import Standardization
from gad_lightning.errors import CheckpointError
from gad_lightning.parts import ALLOWED_PACKAGES, Part, current_names, describe, path_of
from gad_lightning.rebuilding import check_size, find_class, path_and_arguments, rebuild
from gad_lightning.redact import redact
from gad_lightning.schema import DataSchema, FeatureSpec
from gad_lightning.training.checkpoint_files import read_checkpoint as read_checkpoint  # offered here too

KEY = "gad_lightning"
FORMAT = 1
ABOUT: dict[str, tuple[type, ...]] = {"format": (int,), "spec": (dict,), "schema": (dict,), "fingerprint": (object,)}
ABOUT |= {"rejection": (dict, NoneType), "decisions": (dict, NoneType), "added": (list, tuple, NoneType)}
"""What a checkpoint says of its classifier, and of what kind that is."""
HYPERPARAMETERS = "hyper_parameters"
CURRENT = "current_model_state"
"""Where Lightning's weight averaging puts the weights that are trained, beside their average."""


class TrainedWeights(Part, Optimized, AddedClasses):
    """Mixin of the classifiers: small checkpoints, rebuilt without a config, refused where they do not fit."""

    read_back = False
    """Whether a checkpoint was read back once, before it was first written."""
    strict_loading = False  # the frozen weights are not in the checkpoint; we check the trained ones ourselves
    backbone: Backbone
    schema: DataSchema
    standardize: Standardization
    allowed: tuple[str, ...] = ALLOWED_PACKAGES
    """Packages whose classes a checkpoint may name."""
    other_settings: bool = False
    """Whether a checkpoint's weights may be used with settings that change what they compute."""

    def settings(self) -> dict[str, Any]:
        """Arguments to record: the schema in place of its shorthand."""
        return {**self.arguments, "schema": self.trained_schema, "class_names": None, "features": None}

    def trained_state(self) -> dict[str, Tensor]:
        """Trained weights by name."""
        below = {f"backbone.{name}": weight for name, weight in self.backbone.trained_state().items()}
        own = {name: weight for name, weight in self.named_parameters() if not name.startswith("backbone.")}
        return {**below, **own, **self.fitted_state()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the trained weights only, and add what rebuilds the classifier."""
        trained = {name: weight.detach() for name, weight in self.trained_state().items()}
        whole = checkpoint.get("state_dict", trained)  # of all processes, in the first one; elsewhere it can be empty
        state = checkpoint["state_dict"] = {name: whole[name] for name in trained if whole}
        if CURRENT in checkpoint:  # the average of weight averaging is in the place of the weights, and these are here
            checkpoint[CURRENT] = {name: checkpoint[CURRENT][name] for name in trained}
        leave_frozen_out(checkpoint, self.state_dict(), trained)
        check_weights(state)
        about = {**self.about(), "trained": _shapes_of(trained)}
        alone = not any(isinstance(weight, DTensor) for weight in state.values())
        checkpoint[KEY] = {**about, DIGEST: digest_of(about, state)} if alone else about
        if HYPERPARAMETERS in checkpoint:  # a subclass's save_hyperparameters has parts in it, which the spec describes
            checkpoint[HYPERPARAMETERS] = readable_part(checkpoint[HYPERPARAMETERS])
        if not self.read_back:
            check_readable(checkpoint)
            self.read_back = True

    def about(self) -> dict[str, Any]:
        """What makes the classifier again, but for its weights: plain data."""
        tokens = self.backbone.new_tokens
        return {
            "format": FORMAT,
            "spec": self.spec(),
            "schema": describe(self.trained_schema),
            "fingerprint": self.backbone.fingerprint(),
            "new_tokens": {"names": list(tokens.names), "written": list(tokens.written), "texts": list(tokens.texts)},
            "optimizer": self.optimizer_made,
            "rejection": self.about_rejection(),
            "decisions": self.about_decisions(),
            "added": self.about_added(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another base, head, label order or set of trained weights.

        Raises:
            CheckpointError: naming the first thing that differs.
        """
        about = content_of(checkpoint, "the checkpoint")
        if self._trainer is not None:  # else it was just made as the checkpoint says
            self.check_settings_of(about)
        self.check_schema(rebuild(about["schema"]), added_names(about))
        self.take_added(about.get("added") or ())
        self.take_rejection(about.get("rejection"), self.allowed)
        self.take_decisions(about.get("decisions"), self.allowed)
        if about["fingerprint"] != self.backbone.fingerprint():
            raise CheckpointError(
                "The checkpoint was trained on another base model: its fingerprint differs.",
                "set backbone.language_model (and revision) to the one in the config.yaml beside the checkpoint",
            )
        # a sharding strategy has read the weights already, and leaves their names only
        wanted = _shapes_of(self.trained_state())
        found = _shapes_of(checkpoint["state_dict"]) if "state_dict" in checkpoint else about.get("trained", wanted)
        missing = [name for name in wanted if found.get(name) != wanted[name]]
        unknown = [name for name in found if name not in wanted]
        if missing or unknown:
            raise CheckpointError(
                f"The checkpoint lacks {len(missing)} of the {len(wanted)} trained weights and has {len(unknown)} "
                f"others, first {(missing or unknown)[0]!r}. It was probably saved with another head or LoRA.",
                "pass the config.yaml that lies next to the checkpoint",
            )
        if "state_dict" in checkpoint:
            check_digest(about, checkpoint["state_dict"], "The checkpoint")
        put_frozen_back(checkpoint, self.state_dict())
        if CURRENT in checkpoint:  # weight averaging reads both strictly: the frozen weights are those at hand
            mine: dict[str, Tensor] = self.state_dict()
            checkpoint["state_dict"] = {**mine, **checkpoint["state_dict"]}
            checkpoint[CURRENT] = {**mine, **checkpoint[CURRENT]}

    def check_settings_of(self, about: Mapping[str, Any]) -> None:
        """Compare what a checkpoint was trained with and what it is used with.

        A resumed run says what differs; a checkpoint that is evaluated is refused, unless :attr:`other_settings`.

        Raises:
            CheckpointError: naming the settings that change its scores, and both values.
        """
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        found = [*differences(current_names(about["spec"]), self.spec()), *_windows(about["schema"], self.schema)]
        tell_differences(found, self.other_settings or fitting)

    def check_start(self, about: Mapping[str, Any], meant: bool) -> None:
        """Compare backbone, prompt and windows with those of weights that this classifier begins from.

        Raises:
            CheckpointError: naming the settings that change what the weights compute, and both values.
        """
        given = [spec["init_args"] for spec in (current_names(about["spec"]), self.spec())]
        kept = [{name: args[name] for name in ("backbone", "prompt") if name in args} for args in given]
        stored, here = ({"class_path": path_of(type(self)), "init_args": args} for args in kept)
        tell_differences([*differences(stored, here), *_windows(about["schema"], self.schema)], meant)

    def take_statistics(self, features: FeatureSpec) -> None:
        """Standardize by the mean and spread of ``features``, and record them; by 0 and 1 where it has none."""
        self.schema = self.schema._replace(features=features)
        self.standardize.take(features)

    def check_schema(self, stored: object, added: Sequence[str] = ()) -> None:
        """Compare label sets, goals and features with a checkpoint's.

        Raises:
            CheckpointError: naming the first class that differs.
        """
        if not isinstance(stored, DataSchema):
            raise CheckpointError(f"The checkpoint's schema is a {type(stored).__name__}.", "use another checkpoint")
        check_classes(self.trained_schema, stored, added)
        features = self.schema.features
        if features._replace(mean=None, std=None) != stored.features._replace(mean=None, std=None):
            raise CheckpointError(
                f"The checkpoint was trained on other features: encoder {stored.features.encoder!r}, "
                f"{stored.features.fps} fps, width {stored.features.width}.",
                "encode with that encoder and at that rate",
            )
        if features != stored.features:
            warnings.warn(
                "The checkpoint's mean and spread of the features are kept: those of the training videos here differ "
                "(other videos, or an earlier rule).",
                stacklevel=2,
            )
            self.take_statistics(stored.features)

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # with fewer arguments, on purpose
        cls,
        checkpoint_path: str | Path,
        map_location: str | torch.device = "cpu",
        allowed: Sequence[str] = ALLOWED_PACKAGES,
        weights: Weights | None = None,
    ) -> Self:
        """Make the classifier that a checkpoint describes, with its trained weights.

        Args:
            checkpoint_path: file, or URL.
            map_location: device.
            allowed: packages whose classes the checkpoint may name; add your own package's for your own parts.
            weights: ``int8`` or ``int4`` holds frozen layers so, for inference on a CPU.

        Raises:
            MissingDataError: if there is no such file.
            CheckpointError: if it is damaged, or describes a classifier of another class than this one.
        """
        checkpoint = read_checkpoint(checkpoint_path)
        return cls.made_again(checkpoint, redact(str(checkpoint_path)), map_location, allowed, weights)

    @classmethod
    def made_again(
        cls,
        checkpoint: dict[str, Any],
        where: str,
        map_location: str | torch.device,
        allowed: Sequence[str],
        light: Weights | None = None,
    ) -> Self:
        """Make the classifier that the content of a checkpoint describes.

        Args:
            checkpoint: what ``on_save_checkpoint`` gave.
            where: it was read from.
            map_location: device.
            allowed: packages whose classes it may name.
            light: number format to hold frozen layers in.

        Raises:
            CheckpointError: if it describes a classifier of another class, or does not fit what it describes.
        """
        about = content_of(checkpoint, where)
        weights = weights_of(checkpoint, where)
        found = find_class(about["spec"]["class_path"], allowed)
        if not issubclass(found, cls):
            raise CheckpointError(
                f"{where} holds a {found.__name__}, not a {cls.__name__}.", f"use the class {found.__name__} to load it"
            )
        classifier: Any = rebuild(about["spec"], allowed)
        classifier.allowed = tuple(allowed)
        classifier.on_load_checkpoint(checkpoint)
        classifier.load_state_dict(weights, strict=False)
        if about.get("optimizer"):
            classifier.optimizer_made = about["optimizer"]
            classifier.make_optimizer = RecordedOptimizer(about["optimizer"], allowed)
        made: Self = classifier.to(map_location).eval()
        if light is not None:
            made.backbone.lighten(light)
        return made


def _shapes_of(weights: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """Shapes by name, as plain data."""
    return {name: list(weight.shape) for name, weight in weights.items()}


def _windows(stored: Any, here: DataSchema) -> list[Difference]:
    """Differences of the windows of two schemas, the stored one as plain data."""
    return list(differences(current_names(stored)["init_args"]["windows"], describe(here.windows), "windows"))


def content_of(checkpoint: dict[str, Any], path: str) -> dict[str, Any]:
    """Our own part of a checkpoint.

    Raises:
        CheckpointError: if it has none, one that is too large or nested too deep, or one of a later format.
    """
    about = checkpoint.get(KEY)
    if about is None:
        raise CheckpointError(f"{path} was not saved by this library.", "use a checkpoint of one of its classifiers")
    check_size(about)
    for name, kinds in ABOUT.items():
        if not isinstance(about, dict) or not isinstance(about.get(name), kinds):
            raise CheckpointError(
                f"{path} is damaged: its {name} is no {kinds[0].__name__}.", "use another checkpoint, or save it again"
            )
    if about["format"] > FORMAT:
        raise CheckpointError(f"{path} has format {about['format']}; this version reads up to {FORMAT}.", "upgrade")
    for name in ("spec", "schema"):
        path_and_arguments(about[name])
    found: dict[str, Any] = about
    return found


def weights_of(checkpoint: dict[str, Any], path: str) -> dict[str, Tensor]:
    """The trained weights of a checkpoint.

    Raises:
        CheckpointError: if it has none.
    """
    if "state_dict" not in checkpoint:
        raise CheckpointError(f"{path} holds no weights: it has no state_dict.", "use another checkpoint")
    found: dict[str, Tensor] = checkpoint["state_dict"]
    return found
