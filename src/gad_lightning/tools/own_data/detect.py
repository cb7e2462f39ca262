"""Label whole videos, and write what was found as subtitles or for an annotation tool to correct."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.formats.base import Annotation, AnnotationFormat, LabeledVideo
from gad_lightning.data.formats.registry import check_free, format_named, write_annotations
from gad_lightning.errors import GadError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.schema import normalized
from gad_lightning.tools.chosen import task_index
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.encoding.video_files import find_videos
from gad_lightning.video.timing import rate_of

DRAWN = "_shown"
"""What the name of a video with labels drawn in ends with."""


def main(
    videos: list[str],
    *,
    checkpoint: str | Path,
    format: str = "webvtt",
    output: Path | None = None,
    encoder: Encoder | None = None,
    task: str | None = None,
    min_score: float = 0.0,
    media: str = "",
    overwrite: bool = False,
    allowed: list[str] | None = None,
) -> None:
    """Write subtitles beside videos: ``gad-lightning detect new.mp4 --checkpoint=best.ckpt``.

    With ``--format=elan`` or ``--format=label_studio`` it writes annotations to be corrected; others are activitynet,
    boris, cvat, fiftyone, frames, segments, srt and via. A video that cannot be read stops nothing.

    Args:
        videos: video files, or one folder of them.
        checkpoint: of a trained classifier: .ckpt file or its URL, folder of save_pretrained, or name on the hub.
        format: what is written; formats of one video a file are written as soon as that is labeled.
        output: folder of what is written; that of each video by default.
        encoder: that the features were made with; needed if it is not the built-in one.
        task: name of what is asked, for classifiers with several; the first by default.
        min_score: segments of a lower mean probability are left out, from 0 to 1.
        media: what the tool is to find before a video's file name, such as ``/data/local-files/?d=videos/``.
        overwrite: replace files that are there.
        allowed: further packages whose classes the checkpoint may name.

    Raises:
        SettingError: if a file is there already, or a setting cannot be.
        SystemExit: with status 1 if a video could not be labeled.
    """
    chosen = format_named(format)
    if not 0 <= min_score <= 1:
        raise SettingError(f"min_score is a probability, and is {min_score:g}.", "set it from 0 to 1")
    files = _undrawn(find_videos(videos[0])) if len(videos) == 1 else [*find_videos(list(videos)).values()]
    for file in files:
        name = normalized(file.stem) if chosen.one_video else "annotations"
        check_free((output or file.parent) / f"{name}{chosen.ending}", overwrite)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    classifier = Classifier.from_pretrained(checkpoint, None, device, [*ALLOWED_PACKAGES, *(allowed or [])])
    asked = task_index(classifier.schema, task)
    _label(classifier, files, chosen, output, encoder, asked, min_score, media)


def _undrawn(videos: Mapping[str, Path]) -> list[Path]:
    """Videos of a folder without those that `show` made of others beside them, which are named."""
    drawn = [name for name in videos if name.endswith(DRAWN) and name.removesuffix(DRAWN) in videos]
    if drawn:
        print_safely(f"left out: {', '.join(videos[name].name for name in drawn)}, written by gad-lightning show")
    return [file for name, file in videos.items() if name not in drawn]


def _label(
    classifier: Classifier,
    files: list[Path],
    chosen: AnnotationFormat,
    output: Path | None,
    encoder: Encoder | None,
    task: int,
    min_score: float,
    media: str,
) -> None:
    """Label videos one by one, and write what was found of each, or of all at the end."""
    labeled: list[LabeledVideo] = []
    for file in files:
        try:
            found = classifier.detect(file, task=task, encoder=encoder)
        except GadError as error:
            print_safely(f"failed: {file}: {error}")
            continue
        name, rate = normalized(file.stem), rate_of(file)
        stretches = (
            Annotation(name, one.start_seconds, one.end_seconds, one.label, round(one.score, 6))
            for one in found.segments
            if one.score >= min_score
        )
        fps = classifier.schema.features.fps
        video = LabeledVideo(
            name,
            tuple(stretches),
            fps if math.isnan(rate) else rate,
            f"{media}{file.name}",
            len(found.seconds) / fps,
        )
        labeled.append(video)
        said = f"{file.name}: {len(video.annotations)} segments in {video.length:.1f} s"
        if chosen.one_video:
            said += f", {write_annotations([video], output or file.parent, chosen, overwrite=True)[0]}"
        print_safely(said)
    if labeled and not chosen.one_video:
        (target,) = write_annotations(labeled, output or files[0].parent, chosen, overwrite=True)
        print_safely(f"{len(labeled)} videos: {target}")
    if len(labeled) < len(files):
        raise SystemExit(1)
