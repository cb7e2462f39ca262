"""The structure experiment: its measures on moments written by hand, its control, its kitchen, its tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.kernels.making import of_classes

STRUCTURE = Path(__file__).resolve().parent.parent / "experiments" / "structure"
MODULES = ("arms", "kitchen_orders", "measures", "names", "prepare", "run", "tables")


@pytest.fixture
def structure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the experiment by name."""
    pytest.importorskip("faiss", reason="the extra `search`")
    monkeypatch.syspath_prepend(str(STRUCTURE))
    others = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    yield {name: __import__(name) for name in ("arms", "kitchen_orders", "measures", "tables")}
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.modules.update(others)


def test_moments_ask_those_of_other_videos_only(structure: Any) -> None:
    angles = torch.tensor([0.0, 0.1, 0.2, 0.3, 2.0])
    rows = torch.stack([angles.cos(), angles.sin()], 1).numpy()
    order, other = (1, 2, 3, 4), (2, 1, 3, 4)
    history = [order, order, other, order, (5, 6, 7, 8)]
    moments = structure["measures"].Moments(rows, np.array([0, 0, 1, 2, 1]), np.array([0, 0, 0, 1, 1]), history)
    found = structure["measures"].retrieval(moments, 3)
    # the first two ask videos 1 and 2: the nearest has the other order; that of video 2 is second
    assert found["bag@1"].tolist() == [[0, 2], [0, 0], [0, 1]]
    assert found["bag@5"].tolist() == [[2, 2], [0, 0], [1, 1]]
    assert found["bag_own@1"].tolist() == found["bag@1"].tolist()
    assert found["procedure@1"][0].tolist() == [2, 2]
    assert found["order@1"].tolist() == [[0, 2], [0, 0], [0, 1]]


def test_the_control_gives_the_targets_of_other_queries(structure: Any) -> None:
    slices = of_classes([[0, 1], [1, 0], [2], [3, 4, 5], [0, 1]])
    kernel = structure["arms"].Arm("alignment", 0.1, 0.5).kernel()
    wanted, found = kernel(slices, slices), structure["arms"].Permuted(kernel)(slices, slices)
    assert torch.equal(found.diagonal(), torch.ones(5))
    assert torch.equal(found.flatten().sort().values, wanted.flatten().sort().values)
    assert not torch.equal(found, wanted)


def test_recipes_of_the_kitchen_differ_in_order_alone(structure: Any) -> None:
    data = structure["kitchen_orders"].KitchenOrders(mode="one_pass")
    for orders in data.orders:
        assert len({tuple(order) for order in orders}) == 4
        assert len({tuple(sorted(order)) for order in orders}) == 1
        assert orders[0][-1] == orders[1][-1]
    assert [len(data.records(split)) for split in ("train", "val", "test")] == [192, 96, 256]


def test_the_stored_rows_give_the_tables(structure: Any) -> None:
    tables = structure["tables"]
    rows = [json.loads(line) for line in tables.STORED.read_text(encoding="utf-8").splitlines()]
    lines = [line for data in ("ikea", "kitchen") for line in tables.data_lines(rows, data)]
    text = (STRUCTURE / "README.md").read_text(encoding="utf-8")
    assert all(line in text for line in lines)
    assert "not run" in tables.data_lines([], "ikea")[2].lower()
