"""The claims: every comparison can be run, verdicts follow from what is stored, the document is the stored one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gad_lightning.cli import main

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "experiments" / "claims"
METRICS = ("segment_f1", "point_f1", "top1")
SMALL = [
    "--data=gad_lightning.ToyActions",
    "--trainer.fast_dev_run=true",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]

TOY = [
    "--override=data=gad_lightning.ToyActions",
    "--override=data.num_videos=8",
    "--override=trainer.max_steps=20",
    "--override=trainer.max_epochs=-1",
    "--override=trainer.check_val_every_n_epoch=5",
]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts, which import each other as neighbors."""
    monkeypatch.syspath_prepend(str(CLAIMS))
    import claims
    import label_table
    import paper
    import pareto
    import ranking
    import tables

    class Modules:
        pass

    made: Any = Modules()
    made.claims, made.paper, made.tables = claims, paper, tables
    made.labels, made.pareto, made.ranking = label_table, pareto, ranking
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


def kitchen_variants(modules: Any, pretrained: bool) -> list[Any]:
    """The variants of the kitchen, of a language model on the disk or of none."""
    data = modules.claims.read_data()["kitchen"]
    parts = [part for claim in modules.claims.read_claims().values() for part in claim.parts_on("kitchen")]
    variants = [modules.claims.variant_on(name, data) for name in modules.claims.names_in(parts)]
    return [each for each in variants if pretrained == any("language_model=" in text for text in each.overrides)]


def train_small(variants: list[Any]) -> None:
    """Two steps of each."""
    for variant in variants:
        overrides = [f"--{override.replace('{seed}', '1')}" for override in variant.overrides]
        main(["fit", f"--config={variant.config}", *overrides, *SMALL])


def test_every_variant_of_the_kitchen_trains(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train_small(kitchen_variants(modules, pretrained=False))


def test_pretrained_and_random_language_models_train_on_the_kitchen(
    modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    models = shared / "data" / "models"
    monkeypatch.setenv("GAD_MODELS", str(models))
    monkeypatch.chdir(tmp_path)
    source, target = models / "tinystories-llama-260k", "runs/claims/random-llama"
    subprocess.run([sys.executable, CLAIMS / "random_model.py", source, target], check=True, capture_output=True)
    variants = kitchen_variants(modules, pretrained=True)
    assert [variant.name for variant in variants] == ["disc-stories", "disc-stories-random"]
    train_small(variants)


def result(claim: int, kind: str, value: float, spread: float, parts: int = 1) -> dict[str, Any]:
    """A stored claim whose comparisons have the same figures in every metric: five seeds around a value."""
    by_seed = [value + spread * step for step in (-1, -0.5, 0, 0.5, 1)]
    cell = {"value": value, "num_seeds": 5, "num_videos": 9, "seeds_needed": 7, "half_width_of_videos": 0.001}
    cell |= {"low": value - spread, "high": value + spread, "by_seed": by_seed, "mean_of_second": 0.6}
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
        "parts": [part] * parts,
    }


def test_verdicts_are_corrected_over_the_parts_of_a_claim_and_not_over_others(modules: Any) -> None:
    def of_six(*results: dict[str, Any]) -> str:
        return str(modules.tables.verdicts(results)[(6, 0, "top1")])

    assert of_six(result(6, "more", 0.03, 0.02)) == "holds"
    assert of_six(result(6, "more", 0.03, 0.02), result(5, "more", 0.03, 0.02)) == "holds"
    assert of_six(result(6, "more", 0.03, 0.02, parts=4)) == "undecided"


def test_variants_that_are_equal_in_every_run_are_not_tested(modules: Any) -> None:
    equal = result(4, "same", 0.0, 0.0)
    for cell in equal["parts"][0]["metrics"].values():
        cell["half_width_of_videos"] = 0.0
    equal["parts"] = [*result(4, "same", 0.0, 0.004)["parts"], *equal["parts"]]
    alone = modules.tables.verdicts([result(4, "same", 0.0, 0.004)])
    both = modules.tables.verdicts([equal])
    assert both[(4, 1, "top1")] == "holds"
    assert both[(4, 0, "top1")] == alone[(4, 0, "top1")]


def test_a_margin_is_no_more_than_a_tenth_of_the_errors(modules: Any) -> None:
    stored = result(6, "more", 0.0, 0.002)
    assert modules.tables.verdicts([stored])[(6, 0, "top1")] == "does not"
    for cell in stored["parts"][0]["metrics"].values():
        cell["mean_of_second"] = 0.98
    assert modules.tables.verdicts([stored])[(6, 0, "top1")] == "undecided"


def test_what_is_stored_without_differences_by_seed_has_them_in_its_scores(modules: Any) -> None:
    stored = json.loads((CLAIMS / "results" / "kitchen" / "06.json").read_text())
    found = modules.tables.assessed([stored])[(6, 0, "top1")]
    assert found.value == pytest.approx(stored["parts"][0]["metrics"]["top1"]["value"], abs=2e-6)


def test_the_document_says_verdict_interval_size_commit_and_what_was_not_run(modules: Any, tmp_path: Path) -> None:
    (tmp_path / "kitchen").mkdir()
    (tmp_path / "kitchen" / "06.json").write_text(json.dumps(result(6, "more", 0.03, 0.01)))
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


def baselines_with(score: float) -> dict[str, Any]:
    """Stored baselines with the same figures in every metric; the variants have 0.6."""
    scores = {"gru": {metric: [score, score] for metric in (*METRICS, "error_diversity")}}
    facts = {"commit": ["abc"], "hardware": ["a machine"], "threads": ["1"]}
    sizes = {"parameters": {"gru": 90_000}, "seeds": {"gru": [0, 1]}, "steps": {"gru": 10}, "window": 32}
    return {"data": "kitchen", **facts, **sizes, "scores": scores, "against": {}}


def section_of(modules: Any, folder: Path, score: float, low: float | None = None) -> str:
    """The document with a baseline; ``low`` is the lower end of its difference's interval."""
    stored = baselines_with(score)
    if low is not None:
        pair = {"first": "gru", "second": "gad", "value": score - 0.6, "low": low, "high": 0.5, "num_seeds": 2}
        stored["against"] = dict.fromkeys(METRICS, pair)
    times = {"milliseconds": {name: {"median": 1.0, "p90": 2.0} for name in ("gru", "gad")}}
    times |= {"threads": 1, "pushes": 9, "hardware": "a machine", "commit": "abc"}
    (folder / "kitchen").mkdir()
    for name, content in (("06", result(6, "more", 0.0, 0.1)), ("baselines", stored), ("latency", times)):
        (folder / "kitchen" / f"{name}.json").write_text(json.dumps(content))
    modules.tables.write_readme(folder)
    return (folder / "README.md").read_text()


def test_a_baseline_has_a_row_in_every_table_and_a_point_in_the_picture(modules: Any, tmp_path: Path) -> None:
    text = section_of(modules, tmp_path, 0.9)
    assert "| causal GRU (baseline) | 0.09 M | 2 | 0.900 | 0.900 | 0.900 |" in text.partition("## 6.")[2]
    ranked = text.partition("## Baselines")[2].partition("## 1.")[0]
    assert "| causal GRU (baseline) | 0.09 M | 1.00 | 2 | 0.900 ± 0.000 |" in ranked
    assert ranked.index("| causal GRU") < ranked.index("| gad |")
    assert "(pareto_kitchen.png)" in ranked
    assert 1_000 < (tmp_path / "pareto_kitchen.png").stat().st_size <= 60_000


@pytest.mark.parametrize(
    ("score", "low", "sentence"),
    [
        pytest.param(0.9, 0.2, "a baseline is better than every variant**: on this data the language model", id="wins"),
        pytest.param(0.9, -0.2, "a baseline has the highest mean**, by less than its interval", id="within interval"),
        pytest.param(0.9, None, "a baseline has the highest mean**, by less than its interval", id="no interval"),
        pytest.param(0.5, -0.2, "no baseline has the highest mean.", id="loses"),
    ],
)
def test_the_document_says_whether_a_baseline_wins(
    modules: Any, tmp_path: Path, score: float, low: float | None, sentence: str
) -> None:
    text = section_of(modules, tmp_path, score, low)
    assert f"In segment_f1 and point_f1 and top1 {sentence}" in text
    assert ("[-0.200, +0.500], paired over 2 seeds" in text) == (low == -0.2)


def test_an_interval_of_another_pair_is_not_said(modules: Any) -> None:
    baselines = [modules.ranking.Row("gru", "causal GRU", True, 1, {metric: [0.9] for metric in METRICS})]
    variants = [modules.ranking.Row("gad", "gad", False, 1, {metric: [0.6] for metric in METRICS})]
    pair = {"first": "gru", "second": "disc", "value": 0.3, "low": 0.2, "high": 0.4, "num_seeds": 2}
    data = modules.claims.read_data()["kitchen"]
    said = modules.ranking.conclusion(data, variants, baselines, dict.fromkeys(METRICS, pair))
    assert "- segment_f1: causal GRU 0.900, gad 0.600; difference +0.300." in said


def test_the_front_is_what_nothing_beats_in_both(modules: Any) -> None:
    points = [("slow and best", 4.0, 0.9), ("slow", 4.0, 0.8), ("fast", 1.0, 0.5), ("beaten", 2.0, 0.4)]
    assert [name for name, _, _ in modules.pareto.front(points)] == ["fast", "slow and best"]


def test_claim_12_is_answered_by_the_speed_of_longer_labels(
    modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(tokens: int, published: float, ours: float) -> dict[str, Any]:
        ways = {"published": published, "told": ours, "branching": published}
        figures = {way: {"Disc": ratio, "Gen": 1.0, "speed_up": ratio, "decided": 2} for way, ratio in ways.items()}
        return {"tokens": tokens, **figures}

    where = {"device": "a machine", "threads": 1, "commit": "abc"}
    settings = {"shape": "small", "chunk": 512, "dtype": "float32"}
    stored = {"surroundings": where, "settings": settings, "labels": [row(1, 1.5, 1.2), row(8, 4.5, 1.21)]}
    (tmp_path / "labels_small_cpu.json").write_text(json.dumps(stored))
    monkeypatch.setattr(modules.labels, "BENCH", tmp_path)
    text = "\n".join(modules.tables.claim_lines(modules.claims.read_claims()[12], {}, {}, {}))
    assert "- the published-style loop: **grows with every length**, from 1.50 to 4.50." in text
    assert "- ours, a tail that follows from verb and noun: **does not grow**, from 1.20" in text
    assert "| 8 | 4.5 / 1.0 = 4.50 | 1.2 / 1.0 = 1.21 | 4.5 / 1.0 = 4.50 |" in text
    monkeypatch.setattr(modules.labels, "BENCH", tmp_path / "nothing")
    assert "Not run here" in "\n".join(modules.tables.claim_lines(modules.claims.read_claims()[12], {}, {}, {}))


def run_script(name: str, folder: Path, *more: str) -> str:
    """Run a script of the claims on toy data; its runs and results go to the folder."""
    toy = [*TOY, f"--home={folder / 'runs'}", f"--results={folder / 'results'}"]
    command = [sys.executable, str(CLAIMS / name), *more, *toy]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow  # three processes that import everything, one of which starts four runs
def test_baselines_are_run_once_compared_in_pairs_and_timed_beside_the_variants(tmp_path: Path) -> None:
    run_script("run.py", tmp_path, "6", "--seeds=2", "--data=kitchen")
    said = run_script("run.py", tmp_path, "baselines", "--seeds=2", "--data=kitchen")
    assert said.count("finished") == 6
    assert "finished" not in run_script("run.py", tmp_path, "baselines", "--seeds=2", "--data=kitchen")
    results = tmp_path / "results" / "kitchen"
    stored = json.loads((results / "baselines.json").read_text())
    assert stored["steps"] == {"logistic": 20, "gru": 20, "transformer": 20}
    assert {name: len(scores["segment_f1"]) for name, scores in stored["scores"].items()} == dict.fromkeys(
        stored["steps"], 2
    )
    assert stored["against"]["top1"]["num_seeds"] == 2
    assert stored["against"]["top1"]["second"] in ("disc", "gad")
    shutil.rmtree(tmp_path / "runs" / "kitchen-runs" / "gad")
    run_script("latency.py", tmp_path, "--pushes=4", "--warm-up=1", "--turns=2", "--data=kitchen")
    times = json.loads((results / "latency.json").read_text())["milliseconds"]
    assert set(times) == {"disc", "logistic", "gru", "transformer"}
    assert "(pareto_kitchen.png)" in (tmp_path / "results" / "README.md").read_text()


def test_the_papers_headlines_are_computed_from_its_tables(modules: Any) -> None:
    found = {one.reading: one for one in modules.paper.headlines()}
    assert found["GAD minus Gen, mean of S-F1 and P-F1"].found == pytest.approx((24.1 - 16.7 + 20.1 - 13.9) / 2)
    assert found["GAD minus Gen, mean of S-F1 and P-F1"].verdict == "matches"
    assert found["frames a second, Disc over Gen"].verdict == "matches"  # 1.77
    assert "mismatch" in found["GAD, Llama-3-8B minus StreamMind 8B, mean of the three tasks"].verdict
