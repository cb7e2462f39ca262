"""Texts of configs that take values from the environment: the values are used, the texts as written are stored.

A config may say ``${oc.env:NAME}``. What a run keeps (config.yaml, checkpoints) says the same, not the value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TypeVar, cast

from gad_lightning.errors import SettingError
from gad_lightning.redact import HIDDEN, hide_keys, holds_secret, is_secret, redact

Plain = TypeVar("Plain")
VARIABLE = re.compile(r"\$\{oc\.env:\s*(\w+)\s*(?:,([^{}]*))?\}")
LOGIN = re.compile(r"://[^/\s]+@")
SHORTEST = 8
"""Characters from which on a text of a config is told from others that are the same by chance."""

_written: dict[str, str] = {}  # texts of this process's configs as they were written, by what they stand for
_secrets: dict[str, str] = {}  # the same of single variables with a secret's name


def note(written: object, value: object) -> None:
    """Remember what a config's texts stand for.

    Args:
        written: plain data with ``${oc.env:NAME}``.
        value: the same with the values in place.
    """
    if isinstance(written, Mapping) and isinstance(value, Mapping):
        for name, part in written.items():
            note(part, value.get(name))
    elif isinstance(written, list) and isinstance(value, list):
        for part, other in zip(written, value, strict=False):
            note(part, other)
    elif isinstance(written, str) and isinstance(value, str):
        names = [name for name, _ in VARIABLE.findall(written)]
        if len(value) >= SHORTEST or any(map(is_secret, names)):
            _written.update({value: written} if names and value else {})
        for name in filter(is_secret, names):
            secret = os.environ.get(name, "")
            _secrets.update({secret: f"${{oc.env:{name}}}"} if secret else {})


def as_written(text: str) -> str:
    """A text as it is stored: as a config of this process wrote it, and no secret of the environment in clear.

    Example:
        >>> note("${oc.env:HOME}/made-up", "/home/me/made-up")
        >>> as_written("/home/me/made-up"), as_written("/home/me")
        ('${oc.env:HOME}/made-up', '/home/me')
    """
    if text in _written:
        return _written[text]
    for secret, variable in _secrets.items():
        text = text.replace(secret, variable)
    return text


def stored(value: object, name: str = "") -> object:
    """Plain data as it is stored: texts as written, and what is a secret by its name or look hidden.

    Args:
        value: numbers, texts, lists and mappings.
        name: it stands under.

    Example:
        >>> stored({"api_key": "123", "tokens": 4, "token": "${oc.env:HF_TOKEN}"})
        {'api_key': '***', 'tokens': 4, 'token': '${oc.env:HF_TOKEN}'}
    """
    if isinstance(value, Mapping):
        return {key: stored(part, name if is_secret(name) else str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [stored(part, name) for part in value]
    if not isinstance(value, str):
        return value
    text = as_written(value)
    if VARIABLE.search(text):
        return text
    if text and holds_secret(name, text):
        return HIDDEN
    return redact(text) if LOGIN.search(text) else hide_keys(text)


def from_environment(text: str, source: str) -> str:
    """Put the values of variables into a text that this library stored.

    A variable with a secret's name is only read if a config of this process names it too, as a stored text may be
    anybody's.

    Args:
        text: with or without ``${oc.env:NAME}`` or ``${oc.env:NAME,default}``.
        source: what holds the text, such as ``"The checkpoint"``.

    Raises:
        SettingError: if a variable is not set, or secret.
    """
    for name, _ in VARIABLE.findall(text):
        if is_secret(name) and f"${{oc.env:{name}}}" not in _secrets.values():
            raise SettingError(
                f"{source} asks for the environment variable {name}, which may be a secret.",
                "make the classifier from the config.yaml of its run: gad-lightning test --config ... --ckpt_path ...",
            )
    return resolve(text, source)


def resolve(value: Plain, source: str) -> Plain:
    """Put the values of variables into plain data that the user has named, and remember what they stand for.

    Args:
        value: numbers, texts, lists and mappings, with ``${oc.env:NAME}`` or ``${oc.env:NAME,default}``.
        source: what holds it.

    Raises:
        SettingError: if a variable is not set.
    """
    made: object = value
    if isinstance(value, dict):
        made = {name: resolve(part, source) for name, part in value.items()}
    elif isinstance(value, list):
        made = [resolve(part, source) for part in value]
    elif isinstance(value, str):
        made = _resolve_text(value, source)
    return cast(Plain, made)


def _resolve_text(value: str, source: str) -> str:
    """Put values into a text.

    Raises:
        SettingError: if a variable is not set.
    """

    def known(found: re.Match[str]) -> str:
        """The value of one variable, or its default."""
        name, default = found[1], found[2]
        if name not in os.environ and default is None:
            raise SettingError(
                f"{source} names the environment variable {name}, which is not set.", f"export {name}=..."
            )
        return os.environ.get(name, default.strip() if default else "")

    made = VARIABLE.sub(known, value)
    note(value, made)
    return made
