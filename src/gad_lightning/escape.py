"""Texts of users, made harmless for the place where they are written: terminals, Markdown, CSV cells."""

from __future__ import annotations

import re
import sys

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#!|~^$]")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape_terminal(text: str) -> str:
    r"""Show control characters instead of sending them: a terminal would obey them.

    Example:
        >>> print(escape_terminal("stir\x1b[2J\n"))
        stir\x1b[2J\n
    """
    return _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def escape_markdown(text: str) -> str:
    r"""Write a text so that Markdown shows it as it is, in one line, also in a cell of a table.

    Example:
        >>> print(escape_markdown("a|b <img>\n"))
        a\|b &lt;img&gt;
    """
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    plain = re.sub("[&<>]", lambda found: _HTML[found[0]], line)
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", plain)


def escape_csv(text: str) -> str:
    """Put ``'`` before a text that a spreadsheet would compute; :func:`unescape_csv` takes it away.

    Example:
        >>> escape_csv("=1+1"), escape_csv("'=1+1"), escape_csv("stir")
        ("'=1+1", "''=1+1", 'stir')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_csv(text: str) -> str:
    """The text that :func:`escape_csv` was given.

    Example:
        >>> unescape_csv("'=1+1"), unescape_csv("'tis")
        ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def escape_lines(text: str) -> str:
    """Show control characters of a text of several lines: see :func:`escape_terminal`."""
    return "\n".join(map(escape_terminal, text.split("\n")))


def print_safely(text: str) -> None:
    """Print a text, at once, that may hold names of users' files and classes: they are shown, never obeyed."""
    sys.stdout.write(f"{escape_lines(text)}\n")
    sys.stdout.flush()


def escape_code(text: str) -> str:
    """Write a text between backticks, in one line, so that Markdown shows it as code.

    Example:
        >>> escape_code("a`b")
        "`a'b`"
    """
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return f"`{line.replace('`', chr(39))}`"
