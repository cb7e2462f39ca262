"""Tell what fine-tuning cost the language model, and what a smaller scale of its adapter gives back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gad_lightning.atomic import make_folder
from gad_lightning.backbones.weights.scaling import AdapterScale, check_scale
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.saving.rewriting import target_of, write_changed
from gad_lightning.classifiers.saving.same_data import check_same_classes, check_same_windows
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.forgetting.probe_texts import probe_texts
from gad_lightning.forgetting.sweep import SCALES, sweep
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.pictures.frontier import draw_frontier
from gad_lightning.pictures.timelines import save_picture
from gad_lightning.results.forgetting import FOLDER, PICTURE, PROBES, Forgetting, write_forgetting
from gad_lightning.results.run_folder import SCALED, chosen_checkpoint, read_config
from gad_lightning.tools.run_data import data_as_trained
from gad_lightning.training.checkpoint_files import read_checkpoint

SCALE = "adapter_scale"
"""Where a checkpoint keeps the scale of its adapter, if that is not as it was trained."""
DRAWN = ("kl_neutral", "pairs", "questions", "kl_text")


def main(
    run: Path,
    text: Path | None = None,
    pairs: Path | None = None,
    scales: list[float] | None = None,
    scale: float | None = None,
    checkpoint: Path | None = None,
    output: Path | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Measure a run at several scales of its adapter: 0 is the language model as it came, 1 as it was trained.

    At each scale the task is scored on the validation split, and the language model on plain text, prompts, minimal
    pairs and questions. Table and picture go to the folder forgetting of the run, from where report takes them.

    Args:
        run: folder that ``fit`` left, with its config.yaml.
        text: text of your own, in UTF-8, whose perplexity and KL are told too.
        pairs: your own sentences in place of ours: a CSV file good,bad, or JSON lines of BLiMP.
        scales: to measure, in [0, 4]; 0, 0.25, 0.5, 0.75, 1 and 1.5 by default.
        scale: write a checkpoint with this one in place of measuring; it is used like any other.
        checkpoint: of the run; the one that it is judged by if None.
        output: checkpoint to write with --scale; scaled-0.7.ckpt beside the one that is read, of 0.7.
        allowed: further packages whose classes config and checkpoint may name.

    Raises:
        MissingDataError: if the run has no checkpoint, or a file is not there.
        SettingError: if there is no adapter, it is scaled already, a scale lies outside [0, 4], or options have no
            place beside --scale.
        CheckpointError: if the data have other classes or windows than in training.
        DataError: if a text cannot be used.
    """
    _check_options(scales, scale, output, bool(text or pairs))
    packages = [*ALLOWED_PACKAGES, *(allowed or [])]
    source = _unscaled(run, checkpoint)
    classifier = Classifier.load_from_checkpoint(source, "cuda" if torch.cuda.is_available() else "cpu", packages)
    adapter = AdapterScale(classifier.backbone)
    _drop_fitted(classifier)
    if scale is not None:
        target = target_of(source, output or source.with_name(f"{SCALED}{scale:g}.ckpt"))
        adapter.set(scale)
        write_changed(classifier, source, target, {SCALE: scale})
        print_safely(f"{target} has the adapter of {source} at the scale {scale:g}")
        return
    texts = probe_texts(classifier.backbone.vocabulary, classifier.backbone.max_positions, text, pairs)
    data = data_as_trained(source, run, packages)
    check_same_classes(classifier, data.schema)
    check_same_windows(classifier, data.schema)
    _keep(run / FOLDER, sweep(classifier, data, texts, scales or SCALES, _precision_of(run)))


def _check_options(scales: Sequence[float] | None, scale: float | None, output: Path | None, texts: bool) -> None:
    """Refuse a scale that no adapter has, and options that have no place beside each other.

    Raises:
        SettingError: naming the option.
    """
    for asked in [*(scales or ()), *([] if scale is None else [scale])]:
        check_scale(asked)
    if scale is None and output is not None:
        raise SettingError(f"--output={output} is a checkpoint to write, of no scale.", "add --scale=0.7")
    if scale is not None and (texts or scales):
        raise SettingError(
            f"--scale={scale:g} writes a checkpoint and measures nothing: --scales, --text and --pairs have no place.",
            "leave them out, or leave --scale out",
        )


def _unscaled(run: Path, checkpoint: Path | None) -> Path:
    """The checkpoint to read.

    Raises:
        MissingDataError: if there is none.
        SettingError: if its adapter is scaled already.
    """
    source = checkpoint or chosen_checkpoint(run)
    if source is None:
        raise MissingDataError(f"{run} has no checkpoint.", "give the folder of a run that was trained")
    if (before := read_checkpoint(source).get(SCALE)) is not None:
        raise SettingError(
            f"{source} has its adapter at the scale {before} already.", "give the checkpoint that it was made of"
        )
    return source


def _keep(folder: Path, found: Forgetting) -> None:
    """Write and print what was found."""
    make_folder(folder)
    write_forgetting(folder, found)
    _draw(folder / PICTURE, found)
    print_safely(_told(found))
    print_safely(f"{folder} has the table, and the picture {PICTURE}")


def _drop_fitted(classifier: Classifier) -> None:
    """Leave out what was fitted to the scores and states of scale 1.

    Raises:
        SettingError: if classes were added by them.
    """
    if classifier.schema.tasks != classifier.trained_schema.tasks:
        raise SettingError(
            "Classes were added to this checkpoint, by states of the adapter as it was trained.",
            "scale the checkpoint that they were added to, and add them then",
        )
    classifier.drop_decisions("At another scale the scores are others")
    classifier.rejector = None


def _precision_of(run: Path) -> str | None:
    """The precision that the run was validated in, as far as its config says."""
    trainer = read_config(run).get("trainer")
    found = trainer.get("precision") if isinstance(trainer, dict) else None
    return None if found is None else str(found)


def _draw(target: Path, found: Forgetting) -> None:
    """Draw the task's score over what is kept."""
    probes = {probe.title: found.points(probe) for probe in PROBES if probe.name in DRAWN}
    panels = {title: points for title, points in probes.items() if points}
    save_picture(draw_frontier(panels, [row.scale for row in found.rows], found.metric, found.knee()), target)


def _told(found: Forgetting) -> str:
    """The table, the knee and the sizes, as they are printed."""
    probes = [probe for probe in PROBES if probe.name in found.rows[0].probes]
    head = ["scale", found.metric, *(probe.title for probe in probes)]
    rows = [
        [
            f"{row.scale:g}",
            f"{row.metrics[found.metric]:.3f}",
            *(f"{row.probes[probe.name]:.{probe.digits}f}" for probe in probes),
        ]
        for row in found.rows
    ]
    return "\n".join([*_aligned([head, *rows]), _told_knee(found.knee()), _told_counts(found)])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table, cells to the right.

    Example:
        >>> _aligned([["scale", "a"], ["0.5", "0.25"]])
        ['scale     a', '  0.5  0.25']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _told_knee(knee: float | None) -> str:
    """What the knee says, in a sentence.

    Example:
        >>> _told_knee(0.5)
        'knee: 0.5, which gives back most forgetting for the task score it costs (--scale 0.5 saves it)'
    """
    if knee is None:
        return "no knee: what a smaller scale gives back costs as much of the task score"
    return f"knee: {knee:g}, which gives back most forgetting for the task score it costs (--scale {knee:g} saves it)"


def _told_counts(found: Forgetting) -> str:
    """What the figures are of."""
    return "of " + ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
