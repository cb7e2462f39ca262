"""Writes the pages that are made out of the source: into folders that git ignores, before Sphinx reads them."""

from __future__ import annotations

from pathlib import Path

from docs._ext import api, notebooks

DOCS = Path(__file__).resolve().parent.parent


def pages() -> None:
    """Write every page; one whose text is the same keeps its date, so that it is not built again."""
    texts = {f"reference/{name}.md": text for name, text in api.pages().items()}
    texts |= {f"tutorials/{name}": text for name, text in notebooks.executed().items()}
    for name, text in texts.items():
        write(DOCS / name, text)
    for folder in ("reference", "tutorials"):
        for path in (DOCS / folder).rglob("*"):
            if path.is_file() and str(path.relative_to(DOCS)) not in texts:
                path.unlink()


def write(path: Path, text: str) -> None:
    """Write a file unless it holds this text."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
