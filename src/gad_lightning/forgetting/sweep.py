"""Measures a run at several scales of its adapter: the task's scores on validation, and what is kept of the base."""

from __future__ import annotations

from collections.abc import Sequence

from lightning import Trainer

from gad_lightning.backbones.weights.scaling import AdapterScale, check_scale
from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import SettingError
from gad_lightning.forgetting.probe_texts import ProbeTexts
from gad_lightning.forgetting.probes import Probes
from gad_lightning.results.forgetting import AtScale, Forgetting
from gad_lightning.results.standard import monitored

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
VALIDATION = "val/"


def sweep(
    classifier: Classifier,
    data: ActionDataModule,
    texts: ProbeTexts,
    scales: Sequence[float] = SCALES,
    precision: str | None = None,
) -> Forgetting:
    """Measure at each scale; the classifier is then as it was trained.

    Args:
        classifier: without decisions or a rejection, which are fitted to scale 1.
        data: with a validation split.
        texts: encoded for the classifier's backbone.
        scales: in [0, 4]; 0 and 1 are measured in any case.
        precision: of the validation, as ``trainer.precision``; probes are in float32.

    Raises:
        SettingError: if the backbone has no adapter, a scale is out of range, or ``precision`` is none.
    """
    for scale in scales:
        check_scale(scale)
    adapter, probes = AdapterScale(classifier.backbone), Probes(classifier.eval(), texts, data)
    trainer, home = _trainer(precision), classifier.device
    rows = []
    for scale in sorted({0.0, 1.0, *scales}):
        adapter.set(scale)
        metrics = trainer.validate(classifier, data, verbose=False)[0]
        named = {name.removeprefix(VALIDATION): value for name, value in metrics.items() if name.startswith(VALIDATION)}
        classifier.to(home).eval()  # Lightning leaves it on the CPU
        rows.append(AtScale(scale, named, probes.measure()))
    adapter.set(1.0)
    counts = {**_weights_of(classifier, adapter.size), **_sizes_of(texts)}
    return Forgetting(monitored(classifier.schema).removeprefix(VALIDATION), tuple(rows), counts)


def _trainer(precision: str | None) -> Trainer:
    """What validates on one device and leaves nothing behind.

    Raises:
        SettingError: if there is no such precision.
    """
    try:
        return Trainer(
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            use_distributed_sampler=False,
            precision=precision,  # type: ignore[arg-type]  # Lightning names each; a config has any text
        )
    except ValueError as error:
        raise SettingError(f"trainer.precision of the run's config cannot be used: {error}.", "correct it") from error


def _weights_of(classifier: Classifier, adapter: int) -> dict[str, int]:
    """Trained weights of each part."""
    backbone = classifier.backbone
    parts = {"connector": backbone.connector, "new tokens": backbone.new_tokens}
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    whole = sum(weight.numel() for weight in classifier.parameters() if weight.requires_grad)
    return {"adapter": adapter, **counts, "heads and objectives": whole - adapter - sum(counts.values())}


def _sizes_of(texts: ProbeTexts) -> dict[str, int]:
    """How much there is of each probe."""
    counts = {"tokens of neutral text": int((texts.neutral >= 0).sum())}
    if texts.own is not None:
        counts["tokens of own text"] = int((texts.own >= 0).sum())
    return {**counts, "minimal pairs": len(texts.pairs), "questions": len(texts.questions)}
