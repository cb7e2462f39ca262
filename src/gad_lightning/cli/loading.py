"""How configs are read: YAML with ``${oc.env:...}``, and names of earlier versions under those of today."""

from __future__ import annotations

from typing import Any

from jsonargparse import get_loader, set_loader
from omegaconf import OmegaConf
from yaml import YAMLError

from gad_lightning.parts import current_names

PARSER_MODE = "gad_lightning"
"""Name by which parsers ask for :func:`load`."""


def load(text: str) -> Any:
    """Read a config, or one value of the command line."""
    value = get_loader("yaml")(text)
    if isinstance(value, dict | list) and "${" in text:
        value = OmegaConf.to_object(OmegaConf.create(value))
    return current_names(value)


set_loader(PARSER_MODE, load, (YAMLError,))
