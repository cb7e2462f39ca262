"""HTML and SVG as trees, so that a page is well formed and every text on it is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that no page may hold."""


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Element:
    """Make an element.

    Args:
        name: of the element.
        *children: elements and texts; None is left out.
        **attributes: ``class_`` is ``class``, other underscores are hyphens; None is left out, numbers are shortened.

    Example:
        >>> written(tag("p", "a < b", tag("b", "!"), class_="x", title='"'))
        '<p class="x" title="&quot;">a &lt; b<b>!</b></p>'
    """
    element = Element(name)
    for key, value in attributes.items():
        if value is not None:
            element.set(key.rstrip("_").replace("_", "-"), _short(value))
    return _extended(element, children)


def _extended(element: Element, children: Iterable[Child]) -> Element:
    """Add children to an element."""
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif child is not None:
            text = _printable(child)
            if len(element):
                element[-1].tail = (element[-1].tail or "") + text
            else:
                element.text = (element.text or "") + text
    return element


def _printable(text: str) -> str:
    r"""Replace what no page may hold.

    Example:
        >>> _printable("a\x00b")
        'a\ufffdb'
    """
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _short(value: str | float) -> str:
    """An attribute's text; two digits after the point are finer than a pixel.

    Example:
        >>> _short(1.0), _short(0.3333), _short("a")
        ('1', '0.33', 'a')
    """
    return _printable(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def written(element: Element) -> str:
    """The text of a tree, as HTML; ``<`` is escaped in attributes too, though HTML does not ask for it."""
    for part in element.iter():
        if part.tag in ("script", "style"):
            assert "</" not in (part.text or ""), "our own program and style end nothing"
    return tostring(element, encoding="unicode", method="html")


def number(value: float, digits: int = 3) -> str:
    """A figure of a table, a dash for nothing.

    Example:
        >>> number(0.12345), number(float("nan")), number(1234.5, 0)
        ('0.123', '-', '1,234')
    """
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def table(head: Iterable[Child], rows: Iterable[Iterable[Child]], class_: str = "") -> Element:
    """A table in a box that scrolls if it is too wide; the first column names the rows."""
    header = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = tag("tbody")
    for first, *others in rows:
        body.append(tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in others)))
    return tag("div", tag("table", tag("thead", header), body, class_=class_ or None), class_="scroll", tabindex="0")
