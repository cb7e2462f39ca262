"""Runs the notebooks and keeps what comes out, for the pages and for the test of the notebooks alike."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KEPT = ROOT / "build" / "notebooks"
AT_ONCE = 2
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def execute(path: Path) -> NotebookNode:
    """Run a notebook from top to bottom in a folder of its own, and keep it with its outputs.

    Raises:
        CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = joined(cell.outputs, folder)
    kept = kept_at(path)
    kept.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, kept)
    return notebook


def executed() -> dict[str, str]:
    """Text of every notebook with its outputs, by file name; those that have not changed are not run again."""
    left = [path for path in NOTEBOOKS if not kept_at(path).is_file()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(execute, reversed(left)))  # the longest ones are last in the folder
    return {path.name: kept_at(path).read_text(encoding="utf-8") for path in NOTEBOOKS}


def kept_at(path: Path) -> Path:
    """Where the outputs of a notebook as it stands are kept."""
    key = hashlib.sha256(path.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
    return KEPT / f"{path.stem}-{key}.ipynb"


def joined(outputs: Sequence[NotebookNode], folder: str) -> list[NotebookNode]:
    """Join what was printed in pieces, without colors, overwritten lines and the path of the folder."""
    found: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    for output in found:
        if output.output_type == "stream":
            text = re.sub(r"[^\n]*\r(?!\n)", "", COLOR.sub("", output.text))
            output.text = text.replace(f"{folder}/", "")
    return found
