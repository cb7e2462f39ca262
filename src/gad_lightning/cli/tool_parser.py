"""The parser of the tools: what it complains of never shows a password."""

from __future__ import annotations

from typing import NoReturn

from jsonargparse import ArgumentParser

from gad_lightning.redact import redact


class ToolParser(ArgumentParser):  # type: ignore[misc]  # jsonargparse is read without its annotations
    """Prints its errors with the passwords of URLs struck out."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Leave with status 2."""
        super().error(redact(message), ex)
        raise AssertionError("error() leaves the program")
