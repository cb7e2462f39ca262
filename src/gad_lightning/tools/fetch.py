"""Download the weights that a run's config names, on a machine with a network and without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from gad_lightning.backbones.weights.hub import commit_of, snapshot
from gad_lightning.classifiers.saving.sharing import is_on_hub
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely


def main(
    model: dict | None = None,  # type: ignore[type-arg]  # with a parameter the parser would instantiate what it holds
    data: dict | None = None,  # type: ignore[type-arg]  # the same
    trainer: dict | None = None,  # type: ignore[type-arg]  # the same
    seed_everything: int | bool | None = None,
    ckpt_path: str | None = None,
    init_from: str | None = None,
    other_settings: bool = False,
    weights_only: bool | None = None,
) -> None:
    """Download the weights of a run: ``gad-lightning fetch --config run.yaml``.

    Runs on other machines with the same cache (HF_HOME) then need no network. A branch that has moved is downloaded
    anew; runs never do that by themselves.

    Args:
        model: of the config; its backbone says what is needed.
        data: of the config.
        trainer: of the config; not used.
        seed_everything: of the config; not used.
        ckpt_path: of the config; not used.
        init_from: of the config; downloaded too if it is a repository of the hub.
        other_settings: of the config; not used.
        weights_only: of the config; not used.

    Raises:
        SettingError: if no model is given, or a class of the config cannot be made.
        MissingDataError: if weights cannot be downloaded, with the page of their license where there is one.
    """
    if model is None:
        raise SettingError("There is no model whose weights could be downloaded.", "give a config: --config run.yaml")
    fetched = [folder for part in _parts_of([model, data]) if (folder := part.fetch()) is not None]
    if init_from is not None and is_on_hub(init_from):
        fetched.append(snapshot(init_from, refresh=True, weights=False))
    for folder in fetched:
        files = [folder] if folder.is_file() else [path for path in folder.rglob("*") if path.is_file()]
        commit, size = commit_of(folder), sum(path.stat().st_size for path in files)
        print_safely(f"{folder}: {size / 1e9:.2f} GB{f', revision {commit}' if commit else ''}")
    if not fetched:
        print_safely("The config names nothing to download.")


def _parts_of(config: Any) -> Iterator[Any]:
    """Make the parts of a config that have something to fetch; their constructors read nothing.

    Raises:
        SettingError: if one cannot be made of its arguments.
    """
    if isinstance(config, list):
        for item in config:
            yield from _parts_of(item)
    if not isinstance(config, dict):
        return
    path = config.get("class_path")
    found: Any = _find(path) if isinstance(path, str) else None
    if hasattr(found, "fetch"):
        try:
            yield found(**config.get("init_args", {}))
        except TypeError as error:
            raise SettingError(f"{path} cannot be made: {error}", "check its init_args in the config") from error
    else:
        for item in config.values():
            yield from _parts_of(item)


def _find(path: str) -> Any:
    """Import what stands at a dotted path of the user's own config.

    Raises:
        SettingError: if there is nothing.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingError(f"The config names {path!r}, which is not there: {error}", "check the class_path") from error
