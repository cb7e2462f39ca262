"""Run configs with several seeds each and compare their test scores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.compare.runs import Run, Variant, check_runs, run_all
from gad_lightning.compare.tables import (
    COUNT_COLUMNS,
    DIFFERENCE_COLUMNS,
    RUN_COLUMNS,
    Scored,
    by_variant,
    check_same_test,
    count_rows,
    difference_rows,
    differences,
    markdown,
    run_rows,
    score_run,
)
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely
from gad_lightning.pictures.comparisons import draw_scores
from gad_lightning.pictures.timelines import save_picture
from gad_lightning.results.tables import write_csv

SMOKE = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.check_val_every_n_epoch=1")
"""Overrides of a run that only shows that everything works."""


def main(
    configs: list[str],
    seeds: int = 3,
    first_seed: int = 0,
    output: Path = Path("runs/compare"),
    jobs: int | None = None,
    threads: int = 1,
    changed: Literal["refuse", "rerun"] = "refuse",
    margin: float = 0.01,
    resamples: int = 2000,
    smoke: bool = False,
) -> None:
    """Fit and predict with every config and seed, then compare: ``gad-lightning compare a.yaml b.yaml --seeds 5``.

    Every run is a process of its own and leaves ``OUTPUT/<variant>/<seed>`` with config, log, checkpoint and
    predictions of the test split. What is finished is not run again, and a run that fails loses no other. Writes
    ``runs.csv``, ``counts.csv``, ``differences.csv``, ``table.md`` and ``scores.png``. Equal seeds give equal scores.

    Args:
        configs: each ``[NAME:]CONFIG[+KEY=VALUE]...``, before all options; differences are to the first. In a value
            ``{seed}`` stands for the seed of the run.
        seeds: runs of each config.
        first_seed: the others follow it.
        output: folder for everything.
        jobs: runs at once; as many as the cores allow if None. On a GPU say how many fit its memory.
        threads: of each run; the scores may depend on it by rounding.
        changed: what happens to a finished run whose config is another one now.
        margin: least difference of scores that matters; never more than a tenth of the first config's errors.
        resamples: of the bootstrap.
        smoke: two training batches a run, to see that everything works.

    Raises:
        SettingError: if a setting cannot work, or a config changed since its run.
        SystemExit: with status 1 if a run failed.
    """
    _check_above_0(seeds=seeds, jobs=1 if jobs is None else jobs, threads=threads, resamples=resamples, margin=margin)
    variants = [Variant.parse(text) for text in configs]
    if smoke:
        variants = [variant._replace(overrides=(*variant.overrides, *SMOKE)) for variant in variants]
    runs = _runs_in(make_folder(output), variants, range(first_seed, first_seed + seeds))
    check_runs(runs, changed)
    failed = run_all(runs, jobs or max(1, _cores() // threads), threads, print_safely)
    finished = [run for run in runs if run.finished and run not in failed]
    finished.sort(key=lambda run: variants.index(run.variant))
    _write_tables(output, [score_run(run) for run in finished], failed, margin, resamples)
    print_safely((output / "table.md").read_text(encoding="utf-8"))
    if failed:
        raise SystemExit(1)


def _check_above_0(**settings: float) -> None:
    """Refuse settings that cannot work.

    Raises:
        SettingError: naming the first of them and its value.
    """
    for name, value in settings.items():
        if not value > 0:
            raise SettingError(
                f"{name} must be above 0, got {value:g}.", f"set --{name} to {0.01 if name == 'margin' else 1} or more"
            )


def _runs_in(output: Path, variants: Sequence[Variant], seeds: Iterable[int]) -> list[Run]:
    """All runs, a seed after the other, so that what is finished is paired at any time."""
    return [Run(variant, seed, output / variant.folder / str(seed)) for seed in seeds for variant in variants]


def _write_tables(output: Path, scored: list[Scored], failed: list[Run], margin: float, resamples: int) -> None:
    """Write all tables and the picture; of nothing but failures only the list of them."""
    check_same_test(scored)
    runs = by_variant(scored)
    found = differences(runs, margin=margin, resamples=resamples) if runs else {}
    write_csv(output / "runs.csv", run_rows(scored), RUN_COLUMNS)
    write_csv(output / "counts.csv", count_rows(scored), COUNT_COLUMNS)
    rows = difference_rows(next(iter(runs)), found) if runs else []
    write_csv(output / "differences.csv", rows, DIFFERENCE_COLUMNS)
    with atomic_write(output / "table.md") as part:
        part.write_text(markdown(runs, found, failed), encoding="utf-8")
    if runs:
        values = {
            heading: {name: [run.score(metric) for run in seeds.values()] for name, seeds in runs.items()}
            for metric, heading in scored[0].headings.items()
        }
        save_picture(draw_scores(values), output / "scores.png")


def _cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
