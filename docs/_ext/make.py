"""Writes the pages that are made out of the source: into folders that git ignores, before Sphinx reads them."""

from __future__ import annotations

import json
from pathlib import Path

from docs._ext import api, commands, drawings, errors, house, notebooks, repository, settings

from gad_lightning.tools.demo import markdown_of

DOCS = Path(__file__).resolve().parent.parent


def pages() -> None:
    """Write every page; one whose text is the same keeps its date, so that it is not built again."""
    texts = {f"reference/{name}.md": text for name, text in api.pages().items()}
    texts |= {
        "reference/commands.md": commands.page(),
        "reference/settings.md": settings.page(),
        "reference/errors.md": errors.page(),
        "reference/house.md": house.page(),
        "reference/demo_table.txt": markdown_of(json.loads((DOCS / "demo.json").read_text(encoding="utf-8"))) + "\n",
    }
    texts |= repository.pages()
    texts |= {f"reference/pictures/{name}": text for name, text in drawings.pictures().items()}
    texts |= {f"tutorials/{name}": text for name, text in notebooks.executed().items()}
    for name, text in texts.items():
        write(DOCS / name, text)
    for folder in ("reference", "tutorials"):
        for path in (DOCS / folder).rglob("*"):
            if path.suffix in (".md", ".ipynb") and str(path.relative_to(DOCS)) not in texts:
                path.unlink()


def write(path: Path, text: str) -> None:
    """Write a file unless it holds this text."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
