"""The contexts experiment: its controls, its gains and its page on rows written by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.prompts.contexts.base import ContextQuery
from gad_lightning.segments import Segment

CONTEXTS = Path(__file__).resolve().parent.parent / "experiments" / "contexts"
MODULES = ("candidates", "kitchen_orders", "tables")


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the experiment by name."""
    monkeypatch.syspath_prepend(str(CONTEXTS))
    path, others = list(sys.path), {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    yield {name: __import__(name) for name in ("candidates", "tables")}
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.modules.update(others)
    sys.path[:] = path


def test_there_are_eight_candidates_or_more_on_every_data_set(contexts: Any) -> None:
    module = contexts["candidates"]
    for data in module.DATA:
        assert len(module.contexts_of(data)) - 1 >= 8


def test_steps_are_counted_and_the_control_is_a_class_of_the_video(contexts: Any) -> None:
    module = contexts["candidates"]
    query = ContextQuery(2, 12, [Segment(1, 0, 5), Segment(2, 5, 10), Segment(3, 14, 20)], None)
    assert module.StepNumber().context(query) == ["two"]
    drawn = [module.AnyClass().context(query._replace(frame=frame))[0] for frame in range(60)]
    assert set(drawn) == {1, 2, 3}


def row(arm: str, hits: int, seed: int = 0) -> dict[str, Any]:
    """A run on two test videos."""
    counts = {"top1": [[hits, 10], [hits, 10]], "segment_f1": [[hits, 10, 10], [hits, 10, 10]]}
    return {"data": "dials", "arm": arm, "seed": seed, "counts": counts}


def test_gains_are_paired_with_disc_of_the_same_seed(contexts: Any) -> None:
    tables = contexts["tables"]
    rows = [row("disc", 5), row("previous", 7), row("previous", 1, seed=1)]
    found = tables.gain(rows, "dials", "previous", "disc", "top1")
    assert found.value == pytest.approx(0.2)
    assert tables.gain(rows, "dials", "next", "disc", "top1") is None
    assert tables.gain(rows, "dials", "previous", "disc", "segment_f1").value == pytest.approx(0.2)


def test_the_page_correlates_scores_with_gains_and_leaves_label_and_all_out(contexts: Any, tmp_path: Path) -> None:
    tables = contexts["tables"]
    names = ("previous", "next", "step", "control", "label", "all")
    scores = {name: {kind: [0.1 * n, 0.0, 1.0] for kind in ("score", "told", "shown")} for n, name in enumerate(names)}
    rows = [row("disc", 2), *(row(name, 3 + n) for n, name in enumerate(names[:4])), row("label", 1), row("all", 0)]
    lines = "\n".join(tables.section([*rows, {"data": "dials", "seed": 0, "scores": scores}], "dials"))
    assert "+1.00 (p 0.00, 4 contexts)" in lines
    assert "chosen (control) minus" in lines
    assert "Not run yet." in "\n".join(tables.section(rows, "kitchen"))


def test_the_page_is_the_one_of_the_stored_rows(contexts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = tmp_path / "results" / "rows.jsonl"
    stored.parent.mkdir()
    stored.write_bytes((CONTEXTS / "results" / "rows.jsonl").read_bytes())
    assert all(np.isfinite(json.loads(line)["seed"]) for line in stored.read_text().splitlines())
    monkeypatch.setattr(sys, "argv", ["tables.py", "--target", str(tmp_path)])
    contexts["tables"].main()
    assert (tmp_path / "README.md").read_text() == (CONTEXTS / "README.md").read_text()
