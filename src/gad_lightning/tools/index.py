"""Index the moments of a run's videos by their slot states, for `gad-lightning search`."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.data.base import Split
from gad_lightning.errors import MissingDataError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.search.building import index_of_run
from gad_lightning.tools.run_data import data_of


def main(run: Path, output: Path | None = None, split: Split = "test", allowed: list[str] | None = None) -> None:
    """Write an index of every predicted segment and every second of a run's videos.

    Args:
        run: folder that ``fit`` left, such as runs/ToyActions/GADClassifier/version_0.
        output: folder of the index; ``index`` in that of the run by default.
        split: whose videos are indexed.
        allowed: further packages whose classes the checkpoint may name.

    Raises:
        MissingDataError: if the run has no checkpoint.
    """
    checkpoint = chosen_checkpoint(run)
    if checkpoint is None:
        raise MissingDataError(
            f"{run} has no checkpoint to index with.",
            "give the folder of a run, such as runs/ToyActions/GADClassifier/version_0",
        )
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    target = output or run / "index"
    index = index_of_run(target, checkpoint, data_of(run, packages, checkpoint), split, packages)
    seconds = len(index) - index.segments
    print_safely(f"{target} holds {index.segments:,} segments and {seconds:,} seconds, by {index.facts.space}")
