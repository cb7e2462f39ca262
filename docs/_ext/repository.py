"""Pages that are files of the repository: changes, what was measured, how to run on a cluster."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "reference/changes.md": "CHANGELOG.md",
    "reference/contributing.md": "CONTRIBUTING.md",
    "reference/measured/experiments.md": "experiments/README.md",
    "reference/measured/claims.md": "experiments/claims/README.md",
    "reference/measured/dials.md": "experiments/dials/README.md",
    "reference/measured/open_world.md": "experiments/open_world/README.md",
    "reference/measured/decisions.md": "experiments/decisions/README.md",
    "reference/measured/structure.md": "experiments/structure/README.md",
    "reference/measured/contexts.md": "experiments/contexts/README.md",
    "reference/measured/forgetting.md": "experiments/forgetting/README.md",
    "reference/measured/cluster.md": "experiments/cluster/README.md",
}
"""Pages, each with the file it shows."""


def pages() -> dict[str, str]:
    """Texts of the pages by name."""
    return {page: text_of(page, ROOT / file) for page, file in FILES.items()}


def text_of(page: str, path: Path) -> str:
    """A file with its links set right: to pages where there is one, as a path of the repository otherwise."""
    page_of = {(ROOT / file).resolve(): name for name, file in FILES.items()}

    def led(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        there = (path.parent / target.partition("#")[0]).resolve()
        if target.startswith(("http", "#")):
            return found[0]
        if there in page_of:
            return f"[{text}](/{page_of[there]})"
        if mark:
            return f"![{text}](/{pictures(there)})"
        return f"{text} (`{there.relative_to(ROOT)}`)" if text != str(there.relative_to(ROOT)) else f"`{text}`"

    return re.sub(r"(!?)\[([^\]]+)\]\(([^)]+)\)", led, path.read_text(encoding="utf-8"))


def pictures(path: Path) -> str:
    """Copy a picture beside the pages; its new path."""
    name = "-".join(path.relative_to(ROOT).parts)
    copy = ROOT / "docs" / "reference" / "pictures" / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(path.read_bytes())
    return f"reference/pictures/{name}"
