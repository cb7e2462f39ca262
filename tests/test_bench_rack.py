"""What a rack does: operations and bytes are those of the real classifier, and the page has the script's table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "experiments" / "bench"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripts, which import each other as neighbors."""
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("measure", "shapes", "speed", "training", "gpu_speed", "gpu_checks", "costs", "rack"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import costs
    import gpu_speed
    import rack
    import shapes
    import speed

    return SimpleNamespace(costs=costs, rack=rack, gpu_speed=gpu_speed, shapes=shapes, speed=speed)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["one_pass", "window", "live"])
def test_operations_are_those_that_torch_counts_at_another_shape(scripts: Any, way: str) -> None:
    mode = "window" if way == "window" else "one_pass"
    classifier = scripts.speed.prepare("Disc", "small", mode, 512, "cpu", dtype="float32").eval()
    classifier.backbone.merge()
    width = scripts.speed.WIDTHS["small"]
    made = {
        "one_pass": scripts.gpu_speed.one_pass,
        "window": scripts.gpu_speed.by_windows,
        "live": scripts.gpu_speed.live,
    }
    work, labels = made[way](classifier, width, {"one_pass": 1, "window": 4, "live": scripts.costs.STREAMS}[way])
    work()
    with FlopCounterMode(display=False) as counter:
        work()
    seen = scripts.costs._seen()[0][way]
    expected = counter.get_total_flops() / labels  # of the products alone: torch counts no attention on a CPU
    alone = seen._replace(pairs=0, last_pairs=0)
    shape = scripts.shapes.SHAPES["small"]
    assert scripts.costs.operations(alone, shape, width) == pytest.approx(expected, rel=1e-3)
    assert 1 < scripts.costs.operations(seen, shape, width) / expected < 1.15


@pytest.mark.slow
def test_bytes_of_a_stream_are_those_of_the_real_cache(scripts: Any) -> None:
    seen, streams = scripts.costs._seen()
    assert set(seen) == {"one_pass", "window", "live"}
    places = sum(part.nbytes for part in streams.cache.places)
    real = streams.cache.nbytes / 2 + places  # float32 here, bfloat16 on a card
    found = scripts.costs.bytes_of_stream(streams, scripts.costs.STREAMS, scripts.shapes.SHAPES["tiny"])
    assert found * scripts.costs.STREAMS == pytest.approx(real)


def test_the_delay_is_the_push_where_nothing_waits_and_grows_with_the_streams(scripts: Any) -> None:
    pushes = scripts.rack.Pushes((1, 100), (10.0, 20.0), 0.0, 1.0)
    few, many = (scripts.rack.delays(streams, 4.0, pushes) for streams in (1, 1000))
    assert np.allclose(few, 10.0)
    assert few.mean() < many.mean() < 100
    assert scripts.rack.served(4.0, pushes, 20_000) == 1250  # 100 frames in 20 ms
    late = pushes._replace(slow_share=1.0, slow_times=20.0)
    assert scripts.rack.served(4.0, late, 20_000) == 0


@pytest.mark.slow
def test_the_page_has_the_table_that_the_script_prints(scripts: Any) -> None:
    made = scripts.rack.table(json.loads(scripts.rack.STORED.read_text()), 8, 4.0)
    assert made in (ROOT / "docs" / "concepts" / "scaling.md").read_text(encoding="utf-8")
