"""The claims: every comparison can be run, verdicts follow from what is stored, the document is the stored one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gad_lightning.cli import main

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "experiments" / "claims"
METRICS = ("segment_f1", "point_f1", "top1")
SMALL = [
    "--data=gad_lightning.data.toy.ToyActions",
    "--trainer.fast_dev_run=true",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts, which import each other as neighbours."""
    monkeypatch.syspath_prepend(str(CLAIMS))
    import claims
    import paper
    import tables

    class Modules:
        pass

    made: Any = Modules()
    made.claims, made.paper, made.tables = claims, paper, tables
    return made


def test_there_are_fifteen_claims_and_each_says_how_it_is_answered(modules: Any) -> None:
    claims = modules.claims.read_claims()
    assert list(claims) == list(range(1, 16))
    for claim in claims.values():
        assert claim.question.endswith(("?", ".", ")"))
        assert claim.paper
        assert bool(claim.parts) + bool(claim.command) + bool(claim.missing) == 1


def test_claims_name_variants_and_data_sets_that_exist(modules: Any) -> None:
    variants, data = modules.claims.read_variants(), modules.claims.read_data()
    for claim in modules.claims.read_claims().values():
        assert set(modules.claims.names_in(claim.parts)) <= set(variants)
        assert set(claim.on) <= {*data, "speed"}


def test_every_variant_of_the_kitchen_trains(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = modules.claims.read_data()["kitchen"]
    parts = [part for claim in modules.claims.read_claims().values() if "kitchen" in claim.on for part in claim.parts]
    for name in modules.claims.names_in(parts):
        variant = modules.claims.variant_on(name, data)
        overrides = [f"--{override.replace('{seed}', '1')}" for override in variant.overrides]
        main(["fit", f"--config={variant.config}", *overrides, *SMALL])


def result(claim: int, kind: str, value: float, half_width: float, p: float) -> dict[str, Any]:
    """A stored comparison with the same figures in every metric."""
    cell = {"value": value, "low": value - half_width, "high": value + half_width, "p": p, "p_equivalent": 1.0}
    cell |= {"num_seeds": 5, "num_videos": 9, "seeds_needed": 7, "half_width_of_videos": 0.01}
    part = {"kind": kind, "first": "gad", "second": "disc", "margin": 0.01, "metrics": dict.fromkeys(METRICS, cell)}
    scores = {name: {metric: [0.5, 0.7] for metric in METRICS} for name in ("gad", "disc")}
    facts = {"commit": ["abc"], "hardware": ["a machine"], "threads": ["1"], "failed": []}
    sizes = dict.fromkeys(scores, 1_000_000)
    seeds = {name: [0, 1] for name in scores}
    return {
        "claim": claim,
        "data": "kitchen",
        **facts,
        "parameters": sizes,
        "seeds": seeds,
        "scores": scores,
        "parts": [part],
    }


def test_verdicts_are_corrected_over_the_claims_of_a_data_set(modules: Any) -> None:
    alone = modules.tables.verdicts([result(6, "more", 0.03, 0.01, 0.03)])
    beside_another = modules.tables.verdicts([result(6, "more", 0.03, 0.01, 0.03), result(5, "more", 0.0, 0.1, 0.5)])
    assert alone[(6, 0, "top1")] == "holds"
    assert beside_another[(6, 0, "top1")] == "undecided"


def test_the_document_says_verdict_interval_size_commit_and_what_was_not_run(modules: Any, tmp_path: Path) -> None:
    (tmp_path / "kitchen").mkdir()
    (tmp_path / "kitchen" / "06.json").write_text(json.dumps(result(6, "more", 0.03, 0.01, 0.001)))
    modules.tables.write_readme(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "| gad > disc | +0.030 [+0.020, +0.040] holds |" in text
    assert "| gad | 1.00 M | 2 | 0.600 |" in text
    assert "Commit abc; a machine; TinyBackbone" in text
    assert "not run; the command is `python experiments/claims/run.py 5 --data kitchen`" in text
    assert "<!--" not in text


def test_the_document_is_the_one_of_the_stored_results(modules: Any, tmp_path: Path) -> None:
    for data in modules.claims.read_data():
        (tmp_path / data).mkdir()
        for path in (CLAIMS / "results" / data).glob("*.json"):
            (tmp_path / data / path.name).write_text(path.read_text())
    modules.tables.write_readme(tmp_path)
    assert (tmp_path / "README.md").read_text() == (CLAIMS / "README.md").read_text()


def test_the_papers_headlines_are_computed_from_its_tables(modules: Any) -> None:
    found = {one.reading: one for one in modules.paper.headlines()}
    assert found["GAD minus Gen, mean of S-F1 and P-F1"].found == pytest.approx((24.1 - 16.7 + 20.1 - 13.9) / 2)
    assert found["GAD minus Gen, mean of S-F1 and P-F1"].verdict == "matches"
    assert found["frames a second, Disc over Gen"].verdict == "matches"  # 1.77
    assert "mismatch" in found["GAD, Llama-3-8B minus StreamMind 8B, mean of the three tasks"].verdict
