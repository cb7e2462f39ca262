"""Look at a folder of your own data, and write a run.yaml that fits it."""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.atomic import atomic_write
from gad_lightning.data.formats.base import AnnotationFormat
from gad_lightning.data.formats.registry import check_free, recognized
from gad_lightning.data.own import OwnVideos
from gad_lightning.data.tables import IGNORE, rare
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.escape import escape_terminal, print_safely
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.encoding.video_files import VIDEO_ENDINGS
from gad_lightning.video.features.feature_file import FeatureFile
from gad_lightning.video.features.sidecar import read_sidecar
from gad_lightning.video.timing import length_of, rate_of

RATES, MEMORIES = (1.0, 2.0, 4.0, 8.0), (32, 64, 128, 256)
FRAMES_A_SEGMENT = 4
"""Frames that nine of ten segments are to have."""
STEPS, MOST_EPOCHS = 1000, 60
"""Steps of training to aim at, and epochs that few videos get at most."""
BATCH = 4
MODELS = ((40.0, "HuggingFaceTB/SmolLM2-1.7B-Instruct"), (12.0, "HuggingFaceTB/SmolLM2-360M-Instruct"))
"""GiB of free GPU memory that a language model is trained in with a LoRA, the largest first."""
VISION = "google/siglip2-base-patch16-224"
TRAINED, ENCODED = 2000.0, 30.0
"""On two CPU cores: frames a second in training with the tiny model, seconds of video a second in encoding."""


class Facts(NamedTuple):
    """What a folder holds."""

    data: OwnVideos
    counts: Counter[str]  # segments of each class
    lengths: tuple[float, ...]  # seconds of the segments
    videos: dict[str, float]  # seconds of the annotated videos that are there
    missing: tuple[str, ...]  # annotated videos that are not
    covered: float  # share of the videos' time that has a label
    shared: float  # share of the labeled time that has several
    features: FeatureSpec | None  # of features that are there


class Choice(NamedTuple):
    """What a run needs."""

    fps: float
    memory: int
    epochs: int
    model: str  # of the language model; empty for the tiny one
    several: bool
    background: bool
    said: list[str]

    @property
    def classifier(self) -> str:
        """Name of its class."""
        return "DiscriminativeClassifier" if self.several or not self.model else "GADClassifier"


def main(root: Path, overwrite: bool = False) -> None:
    """Write ``run.yaml`` for a folder of videos and annotations: ``gad-lightning start my_data``.

    Asks nothing. Takes ``segments.csv``, or annotation files of other tools that lie in the folder, and says what it
    chose and why: frame rate, window, classifier, language model, epochs, expected time.

    Args:
        root: folder with ``videos/`` (or the videos themselves) or ``features/``, and annotations.
        overwrite: replace a ``run.yaml`` that is there.

    Raises:
        MissingDataError: if there are no annotations, or none of the annotated videos.
        DataError: if annotations cannot be used.
    """
    check_free(root / "run.yaml", overwrite)
    files, told = _annotations(root)
    facts = _facts(OwnVideos(root, annotations=files or None), told)
    choice = _choose(facts)
    with atomic_write(root / "run.yaml") as part:
        part.write_text("\n".join(_lines(root, files, facts, choice)) + "\n", encoding="utf-8")
    whole = f"{len(facts.videos)} videos, {sum(facts.videos.values()) / 3600:.2f} hours"
    print_safely(f"{whole}, {len(facts.lengths)} segments of {len(facts.counts)} actions")
    for line in (*told, *choice.said):
        print_safely(f"- {line}")
    config, checkpoint = root / "run.yaml", f"runs/OwnVideos/{choice.classifier}/version_0/checkpoints/best.ckpt"
    print_safely(f"{config} is written: read its comments.\nnext: gad-lightning fit --config {config}")
    named = f" --encoder=gad_lightning.HuggingFaceEncoder --encoder.name_or_folder={VISION}"
    encoder = named if choice.model and facts.features is None else ""
    print_safely(f"then, if fit names this checkpoint: gad-lightning detect new.mp4 --checkpoint={checkpoint}{encoder}")


def _annotations(root: Path) -> tuple[list[str], list[str]]:
    """Annotation files of one format in the folder or beside its videos, none if there is a ``segments.csv``.

    Raises:
        MissingDataError: if there is nothing.
    """
    if (root / "segments.csv").is_file():
        return [], ["the labels are those of segments.csv"]
    found: dict[str, list[Path]] = {}
    titles: dict[str, AnnotationFormat] = {}
    for folder in (root, root / "videos"):
        for path in sorted(folder.glob("*.*")) if folder.is_dir() else ():
            known = None if path.suffix.lower() in VIDEO_ENDINGS or path.name == "videos.csv" else recognized(path)
            if known is not None:
                found.setdefault(known.name, []).append(path)
                titles[known.name] = known
    if not found:
        raise MissingDataError(
            f"{root} has no segments.csv and no annotation file that can be read.",
            f"put one there, or see what is wrong with one: gad-lightning import ANNOTATIONS... {root}",
        )
    # subtitles may be what a classifier wrote
    chosen = max(found, key=lambda name: (name not in ("webvtt", "srt"), len(found[name])))
    told = [f"the labels are those of {len(found[chosen])} {titles[chosen].title} files"]
    others = ", ".join(f"{len(files)} {titles[name].title} files" for name, files in found.items() if name != chosen)
    if others:
        told.append(f"not used: {others}; list them in data.annotations if they are labels too")
    files, suffixes = found[chosen], {path.suffix for path in found[chosen]}
    pattern = files[0].with_name(f"*{files[0].suffix}")
    if len(files) > 1 and len(suffixes) == 1 and sorted(pattern.parent.glob(pattern.name)) == files:
        files = [pattern]
    return [str(path.relative_to(root)) for path in files], told


def _facts(data: OwnVideos, told: list[str]) -> Facts:
    """Count what the annotations hold, and look how long the videos are.

    Raises:
        MissingDataError, DataError: if none of the annotated videos is there, or labeled.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        rows = data.segment_rows
        _ = data.class_names
    told += [str(warning.message) for warning in caught]
    seconds = {name: _length(data, name) for name in rows if name in data.store.names}
    missing = tuple(name for name in rows if name not in seconds)
    if not seconds:
        raise MissingDataError(
            f"None of the {len(rows)} annotated videos is in {data.store.videos}: {', '.join(missing[:3])}, ...",
            "put the videos there, named as in the annotations, without their endings",
        )
    labeled = [row for name in seconds for row in rows[name] if row.label not in (IGNORE, data.background)]
    if not labeled:
        raise DataError(f"The {len(seconds)} videos that are there have no labels.", "label some stretches of them")
    total, union = sum(row.end - row.start for row in labeled), 0.0
    for name in seconds:
        until = 0.0
        for row in rows[name]:
            union += max(0.0, row.end - max(until, row.start))
            until = max(until, row.end)
    counts = Counter(row.label for row in labeled)
    lengths = tuple(row.end - row.start for row in labeled)
    covered, shared = union / max(sum(seconds.values()), 1e-9), 1 - union / max(total, 1e-9)
    return Facts(data, counts, lengths, seconds, missing, covered, max(0.0, shared), read_sidecar(data.store.given))


def _length(data: OwnVideos, name: str) -> float:
    """Seconds of a video: of its features, of its file as that states, or up to its last segment."""
    last = max((row.end for row in data.segment_rows[name]), default=0.0)
    features = data.store.given / f"{name}.npy"
    if features.is_file():
        file = FeatureFile(features, data.fps)
        return file.num_frames / file.spec.fps
    stated = length_of(data.store.file_of(name) or features)
    return last if math.isnan(stated) else max(last, stated)


def _choose(facts: Facts) -> Choice:
    """Fit a run to the folder and to this machine."""
    short, length = np.quantile(facts.lengths, 0.1), float(np.median(list(facts.videos.values())))
    if facts.features is not None:
        fps, why = facts.features.fps, "as features.json says"
    else:
        fps = next((rate for rate in RATES if rate * short >= FRAMES_A_SEGMENT), RATES[-1])
        own = rate_of(facts.data.store.file_of(next(iter(facts.videos))) or facts.data.root)
        fps = fps if math.isnan(own) else min(fps, own)
        why = f"nine of ten segments last {short:.2g} s or more, and have {fps * short:.2g} frames then"
    memory = next((frames for frames in MEMORIES if frames >= length * fps), MEMORIES[-1])
    whole = "a whole video of usual length" if memory >= length * fps else "the longest that is taken unasked"
    free = torch.cuda.mem_get_info()[0] / 2**30 if torch.cuda.is_available() else 0.0
    model = next((name for least, name in MODELS if free >= least), "")
    frames = sum(facts.videos.values()) * fps
    steps = math.ceil(sum(math.ceil(seconds * fps / memory) for seconds in facts.videos.values()) / BATCH)
    epochs = min(MOST_EPOCHS, max(3, round(STEPS / steps)))
    several = facts.shared > 0.05
    said = [
        f"{fps:g} frames a second: {why}",
        f"a window of {memory} frames, {memory / fps:.3g} s: {whole}",
        f"{model} with a LoRA: it fits {free:.0f} GiB of free GPU memory"
        if model
        else "the tiny language model, trained whole: there is no GPU with 12 GiB free here",
        f"{epochs} epochs of about {steps} steps; validation chooses the best",
    ]
    said += [f"{facts.shared:.0%} of the labeled time has several labels: multi_label"] if several else []
    background = facts.covered < 0.98
    if not background:
        said.append("nearly every frame has a label: background is null, and what has none is left out")
    said += [told for told in (rare(facts.counts),) if told]
    if facts.missing:
        names = ", ".join(facts.missing[:3])
        said.append(f"{len(facts.missing)} annotated videos are not there, and fit refuses without: {names}, ...")
    if facts.features is None:
        small = "the built-in encoder, which tells drawn pictures apart and nothing else: for real videos see run.yaml"
        said.append(f"the encoder {VISION}, which is downloaded once" if model else small)
    if facts.data.goals:
        said.append("videos.csv has goals, which are not used: a new video comes without one (see GoalContext)")
    encoding = 0.0 if facts.features is not None else sum(facts.videos.values()) / ENCODED
    minutes = (frames * epochs / TRAINED + encoding) / 60
    said.append(
        "how long this takes was not measured on a GPU"
        if model
        else f"about {max(1, round(minutes))} minutes on two CPU cores, {round(encoding / 60)} of them to encode"
    )
    return Choice(fps, memory, epochs, model, several, background, said)


def _lines(root: Path, files: list[str], facts: Facts, choice: Choice) -> Iterator[str]:
    """The lines of ``run.yaml``."""
    yield f"# A run for {json.dumps(str(root))}. gad-lightning fit --config {root / 'run.yaml'}"
    yield from (f"# - {escape_terminal(line)}" for line in choice.said)
    yield from _model_lines(choice)
    yield from _data_lines(root, files, facts, choice)
    yield "trainer:"
    yield f"  max_epochs: {choice.epochs}"
    yield f"  check_val_every_n_epoch: {max(1, choice.epochs // 10)}"
    yield "  gradient_clip_val: 1.0"


def _model_lines(choice: Choice) -> Iterator[str]:
    """The classifier and its language model."""
    yield "model:"
    yield f"  class_path: gad_lightning.{choice.classifier}"
    yield "  init_args:"
    if choice.classifier == "GADClassifier":
        yield "    context: gad_lightning.PreviousActions"
    else:
        yield "    slot: gad_lightning.LastVisualSlot"
        if not choice.several:
            yield "    objectives: [gad_lightning.TruncatedSmoothing]  # keeps labels from flickering"
    yield "    backbone:"
    if choice.model:
        yield "      class_path: gad_lightning.CausalLM"
        yield f"      init_args: {{language_model: {choice.model}, lora: {{r: 16, lora_alpha: 32}}}}"
    else:
        yield "      # on a GPU: class_path: gad_lightning.CausalLM"
        yield f"      # and init_args: {{language_model: {MODELS[-1][1]}, lora: {{r: 16, lora_alpha: 32}}}}"
        yield "      class_path: gad_lightning.TinyBackbone"
        yield "      init_args: {hidden_size: 96}"
        yield "    optimizer:"
        yield "      class_path: gad_lightning.PaperAdamW"
        yield "      init_args: {lr: 3.0e-3, weight_decay: 0.3}"


def _data_lines(root: Path, files: list[str], facts: Facts, choice: Choice) -> Iterator[str]:
    """The data: where it is, its rate, its windows, its splits."""
    yield "data:"
    yield "  class_path: gad_lightning.OwnVideos"
    yield "  init_args:"
    yield f"    root: {json.dumps(str(root))}"
    if files:
        yield f"    annotations: {json.dumps(files)}"
    if facts.features is None:
        yield f"    fps: {choice.fps:g}"
        yield from _encoder_lines(choice)
    yield f"    # classes, in alphabetical order: {json.dumps(sorted(facts.counts), ensure_ascii=False)}"
    if not choice.background:
        yield "    background: null"
    if choice.several:
        yield "    multi_label: true"
    yield "    mode: one_pass"
    yield f"    short_memory: {choice.memory}"
    yield f"    chunk: {choice.memory}"
    yield f"    batch_size: {BATCH}"
    listed = Counter(row.split for row in (facts.data.listed_videos or {}).values())
    if not listed["val"]:
        yield "    # a part of the training videos, held out to choose the best checkpoint"
        yield f"    val_fraction: {0.1 if len(facts.videos) >= 40 else 0.2}"
    if not listed["test"]:
        yield "    predict_split: val  # there are no test videos"


def _encoder_lines(choice: Choice) -> Iterator[str]:
    """The encoder: a pretrained one where there is a GPU, else the built-in one, which needs no download."""
    yield "    # the built-in encoder tells drawn pictures apart and nothing else; for real videos take this one:"
    mark = "" if choice.model else "# "
    arguments = f"{{name_or_folder: {VISION}}}"
    yield f"    {mark}encoder: {{class_path: gad_lightning.HuggingFaceEncoder, init_args: {arguments}}}"
