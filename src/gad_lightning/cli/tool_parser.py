"""The parser of the tools: what it complains of is said in short, and never shows a password."""

from __future__ import annotations

from typing import NoReturn

from jsonargparse import ArgumentParser

from gad_lightning.cli.refused import leave
from gad_lightning.redact import redact


class ToolParser(ArgumentParser):  # type: ignore[misc]  # jsonargparse is read without its annotations
    """Says what is wrong in one message, with the passwords of URLs struck out."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Leave with status 2; parsers inside a parser raise instead."""
        if not self.exit_on_error:
            super().error(redact(message), ex)
        leave(self, message)
