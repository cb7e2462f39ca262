"""What Sphinx is told beyond its settings: which members are shown, what fields mean, where short names lead."""

from __future__ import annotations

import ast
import inspect
from abc import ABC
from functools import cache
from importlib import import_module
from typing import Any, Generic

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.inspect import signature as inspect_signature
from sphinx.util.inspect import stringify_signature

import gad_lightning
from gad_lightning.parts import AcceptsEarlierNames

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
    app.connect("autodoc-process-signature", constructor)
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
    function = member.fget if isinstance(member, property) else getattr(member, "func", member)
    module = getattr(function, "__module__", None) or PACKAGE
    if not module.startswith(PACKAGE):
        return True
    cls = getattr(import_module(module), getattr(function, "__qualname__", "").partition(".")[0], None)
    if cls is not None and any(name in vars(base) for base in public_bases(cls)):
        return True  # the base class says what it is
    # a mixin of a classifier derives from nothing of Lightning, and gives what Lightning calls all the same
    parents = [base for base in framework if inspect.isclass(cls) and issubclass(cls, base)]
    if module.startswith(f"{PACKAGE}.classifiers"):
        parents.append(LightningModule)
    return True if any(hasattr(base, name) for base in parents) else None


def public_bases(cls: type) -> list[type]:
    """Base classes of this library that have a page."""
    return [base for base in cls.__mro__[1:] if getattr(gad_lightning, base.__name__, None) is base]


class ShortName:
    """A default of a signature that is a class, by its name alone.

    Args:
        cls: the class.
    """

    def __init__(self, cls: type) -> None:
        self.name = cls.__name__

    def __repr__(self) -> str:
        return self.name


def is_class(value: Any) -> bool:
    """Whether a default is a class, and there is one."""
    return inspect.isclass(value) and value is not inspect.Parameter.empty


def constructor(
    app: Sphinx, what: str, name: str, member: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, None] | None:
    """Show a part's own constructor, and not the call of its metaclass that notes the arguments."""
    if not isinstance(member, AcceptsEarlierNames):
        return None
    described = inspect_signature(member.__init__, bound_method=True)  # type: ignore[misc]  # a class
    shown = [
        known.replace(default=ShortName(known.default)) if is_class(known.default) else known
        for known in described.parameters.values()
    ]
    described = described.replace(parameters=shown)
    return stringify_signature(described, show_return_annotation=False, unqualified_typehints=True), None


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
    known = env.domains.python_domain.objects
    names = [name for name in targets(str(node["reftarget"]), str(node.get("py:class", ""))) if name in known]
    if not names:
        return content if node.source is None else None
    entry = known[names[0]]
    made = nodes.reference("", "", content, internal=True)
    made["refuri"] = app.builder.get_relative_uri(str(node["refdoc"]), entry.docname) + f"#{entry.node_id}"
    return made


def targets(target: str, owner: str) -> list[str]:
    """Full names that a reference may mean: a public name, or a member that the class at hand has of a base."""
    parts = target.split(".")
    first = next((index for index, part in enumerate(parts) if part in gad_lightning.__all__), None)
    if first is not None:
        parts = parts[first:]
    elif owner:
        parts = [owner.rpartition(".")[2], *parts]
    cls = getattr(gad_lightning, parts[0], None)
    bases = public_bases(cls) if inspect.isclass(cls) and len(parts) > 1 else []
    return [".".join([PACKAGE, name, *parts[1:]]) for name in (parts[0], *(base.__name__ for base in bases))]
