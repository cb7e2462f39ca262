"""The curves over the dials: what is run, where the controls are, and what is written of the stored results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.compare.runs import Run, Variant, run_all
from gad_lightning.compare.tables import Scored
from gad_lightning.data.simulated.dials import told_by_history

DIALS = Path(__file__).resolve().parent.parent / "experiments" / "dials"
TOY = (
    "data=gad_lightning.SimulatedDials",
    "data.source=gad_lightning.SyntheticTimelines",
    "data.source.num_videos=5",
    "data.source.num_segments=4",
    "model.backbone.hidden_size=16",
    "trainer.max_epochs=1",
    "trainer.check_val_every_n_epoch=1",
)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts, which import each other as neighbors."""
    monkeypatch.syspath_prepend(str(DIALS))
    import curves
    import document

    class Modules:
        pass

    made: Any = Modules()
    made.curves, made.document = curves, document
    return made


def scored(right: list[float]) -> dict[int, Scored]:
    """One seed that got so many of ten frames right in each video."""
    counts = np.array([[frames, 10.0] for frames in right])
    run = Run(Variant("made up", Path()), 0, Path())
    of_unit = {"top1": tuple("ab")}
    value = {"top1": lambda summed: summed[..., 0] / summed[..., 1]}
    return {0: Scored(run, {}, {"top1": counts}, value, {}, frozenset({"top1"}), of_unit, {})}


def test_every_curve_starts_at_its_control_and_no_dial_rests_there(modules: Any) -> None:
    plan = modules.curves.read_plan()
    assert {curve.dial for curve in plan.curves} == set(plan.rest) == {"overlap", "similarity", "history"}
    for curve in plan.curves:
        assert curve.positions[0] == 0
        assert list(curve.positions) == sorted(set(curve.positions))
        assert plan.rest[curve.dial] in curve.positions, "curves meet where the dials rest, and share runs there"
        assert plan.rest[curve.dial] > 0
    assert told_by_history(plan.at("history", 0.0)["history"], modules.document.ACTIONS) == 0
    assert f"data.num_classes={modules.document.ACTIONS}" in plan.overrides


def test_what_curves_share_is_run_once(modules: Any) -> None:
    plan = modules.curves.read_plan()
    runs = plan.runs(Path("runs"), seeds=2)
    assert len({run.home for run in runs}) == len(runs) == 2 * 28  # 36 without those that two curves or more need
    for run in runs:
        assert run.variant.config.is_file()


def test_a_variant_differs_from_its_neighbor_in_one_dial_alone(modules: Any) -> None:
    plan = modules.curves.read_plan()
    first, second = (plan.variant("gen", plan.at("overlap", position)).overrides for position in (0.0, 1.0))
    assert set(first) ^ set(second) == {"data.overlap=0", "data.overlap=1"}


def test_the_change_is_the_last_difference_minus_the_first(modules: Any) -> None:
    start, end = (scored([5, 7]), scored([4, 8])), (scored([9, 9]), scored([5, 7]))
    change = modules.curves.change_of(start, end, "top1")
    assert change.value == pytest.approx((0.9 - 0.6) - (0.6 - 0.6))
    assert change.low == pytest.approx((0.9 - 0.5) - (0.5 - 0.4))  # of two videos, one drawn twice
    assert change.high == pytest.approx((0.9 - 0.7) - (0.7 - 0.8))


def test_a_sentence_says_no_more_than_its_interval(modules: Any) -> None:
    def cell(low: float, high: float) -> dict[str, float]:
        return {"value": (low + high) / 2, "low": low, "high": high}

    found = {"segment_f1": cell(0.1, 0.2), "point_f1": cell(-0.1, 0.2), "top1": cell(-0.2, -0.1)}
    points = [{"position": position, "difference": found} for position in (0.0, 1.0)]
    curve = {"dial": "overlap", "first": "disc", "second": "gen", "points": points, "change": found}
    assert modules.document.seen_in(curve) == (
        "- Disc minus Gen, overlap: at the control (0) it is above 0 in segment-F1, not told apart from 0 in "
        "point-F1 and below 0 in top-1. From 0 to 1 it rises in segment-F1, does not move beyond chance in "
        "point-F1 and falls in top-1."
    )


def test_the_document_is_the_one_of_the_stored_results(modules: Any, tmp_path: Path) -> None:
    shutil.copytree(DIALS / "results", tmp_path / "results")
    modules.document.write_document(tmp_path)
    assert (tmp_path / "README.md").read_text() == (DIALS / "README.md").read_text()
    assert "<!--" not in (tmp_path / "README.md").read_text()
    assert (DIALS / "curves.png").stat().st_size < 80_000


def test_the_stored_results_are_those_of_the_plan(modules: Any) -> None:
    plan = modules.curves.read_plan()
    stored = json.loads((DIALS / "results" / "dials.json").read_text())
    assert stored["with"] == list(plan.overrides)
    assert stored["rest"] == plan.rest
    assert stored["failed"] == []
    run = {found["dial"] for found in stored["curves"] if found["points"]}
    assert {"overlap", "history"} <= run
    for found, curve in zip(stored["curves"], plan.curves, strict=True):
        assert (found["dial"], found["first"], found["second"]) == (curve.dial, curve.first, curve.second)
        if curve.dial in run:
            assert [point["position"] for point in found["points"]] == list(curve.positions)
            assert all(point["seeds"] == list(range(plan.seeds)) for point in found["points"])


def test_a_curve_of_one_shared_point_is_not_run(modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = modules.curves.read_plan()
    rest = {name: plan.variant(name, plan.rest).name for name in plan.classifiers}
    monkeypatch.setattr(modules.curves, "point_of", lambda *_: {})
    for curve in plan.curves:
        assert modules.curves.curve_of(plan, curve, {name: {} for name in rest.values()})["points"] == []


@pytest.mark.slow  # four runs, in processes that first import everything: 20 s
def test_a_small_curve_can_be_run_and_written_down(modules: Any, tmp_path: Path) -> None:
    curve = modules.curves.Curve("history", (0.0, 1.0), "gad", "disc")
    plan = modules.curves.read_plan()._replace(overrides=TOY, curves=(curve,))
    runs = plan.runs(tmp_path / "runs", seeds=1)
    assert run_all(runs, jobs=1, threads=1, say=print) == []
    result = modules.curves.result_of(plan, runs, [])
    (made,) = result["curves"]
    assert [point["dials"]["history"] for point in made["points"]] == [0, 1]
    for metric, change in made["change"].items():
        first, last = (point["difference"][metric]["value"] for point in made["points"])
        assert change["value"] == pytest.approx(last - first, abs=2e-6)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "dials.json").write_text(json.dumps(result))
    modules.document.write_document(tmp_path)
    assert "| history | seeds | GAD | Disc |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "curves.png").is_file()
