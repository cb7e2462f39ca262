"""Every notebook runs from top to bottom, in a folder of its own, and is stored without output."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from docs._ext.notebooks import NOTEBOOKS, execute

QUICK = ("01_first_run",)
"""Notebooks that take less than half a minute on one core; the others are marked slow."""
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
notebooks_to_run = pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow) for path in NOTEBOOKS],
)


@notebooks_to_run
def test_a_notebook_runs(path: Path) -> None:
    execute(path)  # the pages show what comes out


@every_notebook
def test_a_notebook_is_stored_without_output(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
