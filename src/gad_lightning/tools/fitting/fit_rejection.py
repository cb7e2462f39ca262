"""Let a trained classifier say "unknown" of actions that are none of its classes."""

from __future__ import annotations

from pathlib import Path

import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.saving.rewriting import write_changed
from gad_lightning.errors import MissingDataError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.rejection.base import RejectionScore
from gad_lightning.rejection.energy import EnergyScore
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.tools.run_data import data_of


def main(
    run: Path,
    score: RejectionScore | None = None,
    kept: float = 0.95,
    over_background: bool = False,
    checkpoint: Path | None = None,
    output: Path | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Fit a rejection score to the training split of a run, and its threshold to the validation split.

    The checkpoint that is written is used like any other: predict, watch and detect then say "unknown".

    Args:
        run: folder that ``fit`` left, with its config.yaml.
        score: such as gad_lightning.NeighborScore; gad_lightning.EnergyScore by default.
        kept: share of the known actions of the validation split that stay known, in (0, 1).
        over_background: whether frames whose likeliest class is the background can be unknown too.
        checkpoint: of the run; the one that it is judged by if None.
        output: checkpoint to write; rejecting.ckpt beside it if None.
        allowed: further packages whose classes config and checkpoint may name.

    Raises:
        MissingDataError: if the run has no checkpoint, or its data are not there.
    """
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    source = checkpoint or chosen_checkpoint(run)
    if source is None:
        raise MissingDataError(f"{run} has no checkpoint.", "give the folder of a run that was trained")
    data = data_of(run, packages, source)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    classifier = Classifier.load_from_checkpoint(source, device, packages)
    threshold = classifier.fit_rejection(data, score or EnergyScore(), kept, over_background=over_background)
    target = output or source.with_name("rejecting.ckpt")
    write_changed(classifier, source, target)
    print_safely(f"{target} says unknown above a score of {threshold:.6g}, which keeps {kept:.0%} of what is known")
