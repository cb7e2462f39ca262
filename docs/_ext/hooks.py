"""What Sphinx is told beyond its settings: which members are shown, what fields mean, where short names lead."""

from __future__ import annotations

import ast
import inspect
from abc import ABC
from functools import cache
from typing import Any, Generic

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import gad_lightning

PACKAGE = gad_lightning.__name__

OTHERS = [
    # other packages: their pages are not read, as the build has no network
    ("py:.*", r"(torch|lightning|torchmetrics)\..*"),
]
"""References in the text that are not resolved, as (kind, name) patterns. Types in signatures need no entry here."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the hooks."""
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-bases", name_public_bases)
    app.connect("autodoc-process-docstring", describe_field)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon
    app.connect("missing-reference", by_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def skip_member(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Hide what Lightning and torch call, and nobody else: their own documentation says what it is for."""
    from lightning import Callback, LightningDataModule, LightningModule
    from torch import nn

    shown = {"forward", "update", "compute", "load_from_checkpoint", "state_dict", "load_state_dict"}
    framework = (LightningModule, LightningDataModule, Callback, nn.Module)
    if skip or name in shown:
        return None
    owner = getattr(member, "__qualname__", "").partition(".")[0]
    cls = getattr(gad_lightning, owner, None) if owner in gad_lightning.__all__ else None
    if inspect.isclass(cls) and any(issubclass(cls, base) and hasattr(base, name) for base in framework):
        return True
    return None


def name_public_bases(app: Sphinx, name: str, cls: Any, options: Any, bases: list[Any]) -> None:
    """Show what a class derives from by public names; a base without one is replaced by its own bases."""

    def shown(base: Any) -> list[Any]:
        module, title = getattr(base, "__module__", ""), getattr(base, "__qualname__", "")
        if base in (object, ABC, Generic) or title == "NamedTuple":
            return []
        if module.startswith(PACKAGE) and title not in gad_lightning.__all__:
            return [above for parent in base.__bases__ for above in shown(parent)]
        return [base]

    bases[:] = dict.fromkeys(above for base in bases for above in shown(base)) or [object]


def describe_field(app: Sphinx, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Put the comment beside a field of a named tuple in place of Python's 'Alias for field number'."""
    if lines and lines[0].startswith("Alias for field number"):
        owner, _, field = name.removeprefix(f"{PACKAGE}.").partition(".")
        lines[:] = [field_comments(getattr(gad_lightning, owner)).get(field, "")]


def keep_colons(app: Sphinx, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from taking what stands before the first colon of a property's text for its type."""
    if what in ("property", "attribute", "data") and lines:
        lines[0] = f":{lines[0]}"


@cache
def field_comments(cls: type) -> dict[str, str]:
    """Comment beside each field of a named tuple."""
    source = inspect.getsource(cls)
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef), "a class was given"
    lines, found = source.splitlines(), {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert node.end_lineno is not None, "parsed from text"
            beside = (line.partition("#")[2].strip() for line in lines[node.lineno - 1 : node.end_lineno])
            found[node.target.id] = next((text for text in beside if text), "")
    return found


def by_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Lead a reference to a class or method of this library to its public name, however it was written.

    A type in a signature that has no page stays plain text; a reference in the text that leads nowhere is a warning.
    """
    if node.get("refdomain") != "py":
        return None
    parts = str(node["reftarget"]).split(".")
    first = next((index for index, part in enumerate(parts) if part in gad_lightning.__all__), None)
    entry = None
    if first is not None:
        entry = env.domains.python_domain.objects.get(".".join([PACKAGE, *parts[first:]]))
    if entry is None:
        return content if node.source is None else None
    made = nodes.reference("", "", content, internal=True)
    made["refuri"] = app.builder.get_relative_uri(str(node["refdoc"]), entry.docname) + f"#{entry.node_id}"
    return made
