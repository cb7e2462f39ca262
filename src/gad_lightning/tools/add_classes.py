"""Give a trained classifier further classes, by texts and examples, without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.open_world.added_classes import Example
from gad_lightning.classifiers.saving.rewriting import write_changed
from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.csv_rows import read_rows
from gad_lightning.errors import DataError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.heads.class_table import read_classes
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.tools.run_data import data_of
from gad_lightning.video.encoders import Encoder

COLUMNS = ("label", "video", "start", "end")


def main(
    checkpoint: str,
    output: Path,
    texts: Path | None = None,
    examples: Path | None = None,
    factors: Path | None = None,
    text_weight: float = 4.0,
    encoder: Encoder | None = None,
    run: Path | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Add classes behind those of a classifier with a TextHead or FactorHead; all its other logits stay the same.

    Args:
        checkpoint: .ckpt file or its URL, folder of save_pretrained, or name on the hub.
        output: to write: a .ckpt file if a .ckpt file was read, else a folder.
        texts: CSV file ``label,text``, one class a row.
        examples: CSV file ``label,video,start,end``, one example a row; times in seconds, paths of videos, or of .npy
            files of features, from the file's own folder.
        factors: CSV file ``label,verb,object``, one class a row, for a FactorHead.
        text_weight: examples that a text is worth; 0 takes the examples alone.
        encoder: that the classifier's features were made with; needed for videos if it is not the built-in one.
        run: folder of a run whose validation videos show trained and new classes: what is added to the new ones'
            logits, so that both are said as fairly, is chosen there; nothing is added if None.
        allowed: further packages whose classes the checkpoint may name.

    Raises:
        SettingError: if there is no class to add, or one cannot be.
        DataError: if a file cannot be read, or the validation videos lack classes of one kind.
    """
    local = Path(checkpoint)
    single = local.suffix == ".ckpt" and "://" not in checkpoint
    if single != (output.suffix == ".ckpt"):
        made = "a .ckpt file" if single else "a folder"
        raise SettingError(f"output is {output}, and of {checkpoint} {made} is made.", "name it so")
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    classifier = Classifier.from_pretrained(checkpoint, None, "cuda" if torch.cuda.is_available() else "cpu", packages)
    told = {} if texts is None else {name: text for name, (text,) in read_classes(texts, ("text",)).items()}
    shown = {} if examples is None else _read_examples(examples)
    pairs = {} if factors is None else read_classes(factors, ("verb", "object"))
    classifier.add_classes(told, shown, text_weight=text_weight, encoder=encoder, factors=pairs)
    if run is not None:
        _calibrate(classifier, run, packages)
    if single:
        write_changed(classifier, local, output)
    else:
        classifier.save_pretrained(output)
    print_safely(f"{output} knows {', '.join(dict.fromkeys([*told, *shown, *pairs]))} too")


@torch.no_grad()
def _calibrate(classifier: Classifier, run: Path, packages: Sequence[str]) -> None:
    """Choose the constant on the logits of added classes on the validation videos of a run."""
    data = data_of(run, packages)
    size = len(classifier.trained_schema.tasks[0].labels.names)
    data.added_classes = list(classifier.schema.tasks[0].labels.names[size:])
    read = batches_of(data.dataset("val"), data.eval_batch_size, torch.device(classifier.device))
    offset = classifier.calibrate_added([classifier.score_in_evaluation(batch).cpu() for batch in read])
    print_safely(f"{offset:+.3g} on the logits of the classes that were added, by the validation videos of {run}")


def _read_examples(path: Path) -> dict[str, list[Example]]:
    """Examples by class.

    Raises:
        MissingDataError: if there is no such file.
        DataError: naming the line with a value that cannot be used.
    """
    found: dict[str, list[Example]] = {}
    for line, row in read_rows(path, COLUMNS, "leave --examples out"):
        try:
            start, end = float(row["start"]), float(row["end"])
        except ValueError as error:
            raise DataError(
                f"{path}, line {line}: start or end is no time: {row['start']!r}, {row['end']!r}.", "write seconds"
            ) from error
        empty = next((name for name in ("label", "video") if not row[name]), None)
        if empty is not None:
            raise DataError(f"{path}, line {line}: {empty} is empty.", "fill it in, or leave the row out")
        found.setdefault(row["label"], []).append((path.parent / row["video"], start, end))
    return found
