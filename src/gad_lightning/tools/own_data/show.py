"""Watch what a classifier finds in a video: an mp4 with labels drawn in, or a page with a timeline to click."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.detection import Detection
from gad_lightning.data.formats.base import Annotation, Rules
from gad_lightning.data.formats.registry import check_free, read_annotations
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.pictures.overlay import Overlay, Row, Stretch
from gad_lightning.report.player import page_of_video
from gad_lightning.report.timelines import Track
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.schema import UNKNOWN, LabelSet, normalized
from gad_lightning.segments import Segment
from gad_lightning.tools.chosen import chosen_device, task_index
from gad_lightning.tools.own_data.detect import DRAWN
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.features.arrays_on_disk import READERS
from gad_lightning.video.writing import Written, encoder_name, plays_in_browsers, write_video

PAGE = "index.html"
MILLISECONDS = 1000.0
"""Ticks a second of the page's timelines."""


def main(
    video: Path,
    *,
    ckpt_path: str | Path,
    output: Path | None = None,
    page: Path | None = None,
    annotations: list[str] | None = None,
    encoder: Encoder | None = None,
    task: str | None = None,
    min_score: float = 0.0,
    font: Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
    allowed: list[str] | None = None,
) -> None:
    """Draw what a classifier finds into a video: ``gad-lightning show new.mp4 --ckpt_path=best.ckpt``.

    The segments are those of ``gad-lightning detect``. The mp4 keeps times and sound; under the pictures stand label,
    mean probability of the segment, and a timeline. ``--page=FOLDER`` writes a page where the video plays over one.

    Args:
        video: the video file.
        ckpt_path: of the classifier: .ckpt file or its URL, run, folder of save_pretrained, or name on the hub.
        output: the mp4; beside the video, ``<video>_shown.mp4``, if no ``page`` is asked for.
        page: folder of a page, made if it is not there; it holds the video too.
        annotations: files of any annotation format that have the truth, such as ``["new.eaf"]`` or ``segments.csv``.
        encoder: that the features were made with; needed if it is not the built-in one.
        task: name of what is asked, for classifiers with several; the first by default.
        min_score: segments of a lower mean probability are left out, from 0 to 1.
        font: TrueType file for letters that DejaVu Sans lacks, such as Chinese ones, in the mp4.
        device: cpu, cuda, mps, or auto for what is there.
        overwrite: replace files that are there.
        allowed: further packages whose classes the checkpoint may name.

    Raises:
        GadError: if something cannot be read, written, or be as it is set.
    """
    output = output or (None if page is not None else video.parent / f"{video.stem}{DRAWN}.mp4")
    _check(video, output, page, min_score, font, overwrite)
    truth = _truth(annotations, video)
    classifier, name = _loaded(ckpt_path, chosen_device(device), [*ALLOWED_PACKAGES, *(allowed or [])])
    asked = task_index(classifier.schema, task)
    found = classifier.detect(video, task=asked, encoder=encoder)
    seconds = len(found.seconds) / classifier.schema.features.fps
    labels, rows = _rows(found, truth, classifier.schema.tasks[asked].labels, min_score)
    print_safely(f"{video}: {len(rows[-1].stretches)} segments in {seconds:.1f} s")
    if output is not None:
        _tell(output, write_video(video, output, Overlay(rows, labels, seconds, font)))
    if page is not None:
        _write_page(video, page, rows, labels, seconds, f"What {name} finds in {seconds:.1f} s.")


def _loaded(path: str | Path, device: torch.device, packages: list[str]) -> tuple[Classifier, str]:
    """A classifier, of a run the checkpoint that it is judged by; and what it is called."""
    chosen = chosen_checkpoint(Path(path)) if Path(path).is_dir() else None
    name = Path(path).name if chosen is None else f"{chosen.name} of {Path(path).resolve().name}"
    return Classifier.from_pretrained(chosen or path, None, device, packages), name


def _check(
    video: Path, output: Path | None, page: Path | None, min_score: float, font: Path | None, overwrite: bool
) -> None:
    """Refuse what cannot be before anything is loaded.

    Raises:
        MissingDataError, DataError, SettingError: naming it.
    """
    if not 0 <= min_score <= 1:
        raise SettingError(f"min_score is a probability, and is {min_score:g}.", "set it from 0 to 1")
    if not video.exists():
        raise MissingDataError(f"There is no video {video}.", "check the path")
    if video.suffix.lower() in READERS:
        raise DataError(f"{video} holds features, and no pictures to show.", "give the video they were made of")
    if video.is_dir():
        raise DataError(f"{video} is a folder.", "give one video; `gad-lightning detect` labels a folder of them")
    plays_in_browsers(video)  # opens it: what is no video is told now
    Overlay([], LabelSet(()), 0.0, font)  # reads the font
    if output is not None:
        if output.suffix.lower() != ".mp4":
            raise SettingError(f"output is {output}, which is no .mp4.", "name it so, or give a folder as --page")
        if output.exists() and output.samefile(video):
            raise SettingError(f"output is the video {video} itself.", "name another file")
        check_free(output, overwrite)
        encoder_name()
        make_folder(output.parent)
    if page is not None:
        check_free(page / PAGE, overwrite)
        make_folder(page)


def _truth(given: list[str] | None, video: Path) -> list[Annotation] | None:
    """What annotation files have of a video, None where none are given.

    Raises:
        DataError: if they have nothing of it.
    """
    if not given:
        return None
    found = read_annotations(given, video.parent, Rules(videos=video.parent))
    for line in found.told:
        print_safely(f"note: {line}")
    mine = [one for one in found.annotations if one.video == normalized(video.stem)]
    if not mine:
        others = ", ".join(sorted({one.video for one in found.annotations})[:5])
        raise DataError(
            f"The annotations have nothing of {normalized(video.stem)}, but of {others}.",
            "give those of this video, or rename it as they call it",
        )
    return mine


def _rows(
    found: Detection, truth: list[Annotation] | None, labels: LabelSet, min_score: float
) -> tuple[LabelSet, list[Row]]:
    """All labels that occur, and the rows: the truth, if there is one, then what was found."""
    names = tuple(dict.fromkeys((*labels.names, UNKNOWN, *(one.label for one in truth or ()))))
    kept = [one for one in found.segments if one.score >= min_score]
    stretches = [Stretch(one.start_seconds, one.end_seconds, names.index(one.label), one.score) for one in kept]
    rows = [Row("found", stretches)]
    if truth is not None:
        rows.insert(0, Row("truth", [Stretch(one.start, one.end, names.index(one.label)) for one in truth]))
    return LabelSet(names, labels.background), rows


def _write_page(video: Path, folder: Path, rows: list[Row], labels: LabelSet, seconds: float, said: str) -> None:
    """Write a page, and beside it the video: as it is if browsers play that, else as an mp4."""
    if plays_in_browsers(video):
        target = folder / f"video{video.suffix.lower()}"
        with atomic_write(target) as part:
            shutil.copyfile(video, part)
    else:
        target = folder / "video.mp4"
        _tell(target, write_video(video, target))
    tracks = [
        Track(
            row.name,
            [
                Segment(one.label, round(one.start * MILLISECONDS), round(one.end * MILLISECONDS))
                for one in row.stretches
            ],
            MILLISECONDS,
            [one.score for one in row.stretches if one.score is not None],
        )
        for row in rows
    ]
    text = page_of_video(video.name, target.name, tracks, labels, seconds, said)
    with atomic_write(folder / PAGE) as part:
        part.write_text(text, encoding="utf-8")
    print_safely(f"{folder / PAGE}: open it in a browser")


def _tell(target: Path, written: Written) -> None:
    """Say what was written, and what is missing in it."""
    print_safely(f"{target}: {written.frames} pictures")
    if written.problem:
        print_safely(f"note: the video {written.problem}")
    if written.silent:
        print_safely(f"note: of the sound {written.silent}")
