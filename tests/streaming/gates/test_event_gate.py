"""Opens where the lowest layers doubt the label that stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gad_lightning.errors import CheckpointError
from gad_lightning.streaming.gates.base import Glimpse
from gad_lightning.streaming.gates.event_gate import KEY, AboutGate, EventGate, GateHead, write_gate


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A gate whose head gives the class of the larger of two numbers."""
    head = GateHead(2, 2, hidden=2)
    for layer in (head.layers[0], head.layers[2]):
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    write_gate(tmp_path / "gate.safetensors", head, torch.ones(4), AboutGate(1, 3.0, 0.5, ("rest", "walk")))
    return tmp_path / "gate.safetensors"


def glimpse(states: list[list[float]], label: list[int]) -> Glimpse:
    """Slots and the labels that stand."""
    rows, none = torch.tensor(states), torch.zeros(len(states), 1)
    return Glimpse(rows, none, none, torch.tensor(label), torch.ones(len(states), dtype=torch.int64))


def test_it_opens_where_another_label_is_likelier(file: Path) -> None:
    seen = glimpse([[4.0, 0.0], [0.0, 4.0], [0.0, 4.0]], [0, 0, 1])
    assert EventGate(file)(seen).tolist() == [False, True, False]
    assert EventGate(file, threshold=0.001)(seen).tolist() == [True, True, True]


def test_it_opens_for_a_label_that_came_after_it_was_fitted(file: Path) -> None:
    assert EventGate(file)(glimpse([[4.0, 0.0]], [2])).tolist() == [True]


def test_it_opens_where_nothing_can_be_said(file: Path) -> None:
    assert EventGate(file)(glimpse([[float("nan"), 0.0]], [0])).tolist() == [True]


@pytest.mark.parametrize(
    "about", ["{}", "[]", '{"layers": 1, "longest_wait": 3, "threshold": 0.5, "names": ["a"]}', "?"]
)
def test_a_file_whose_parts_do_not_belong_together_is_named(about: str, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={KEY: about})
    with pytest.raises(CheckpointError, match=r"odd.safetensors cannot be read"):
        EventGate(tmp_path / "odd.safetensors")


def test_what_it_was_fitted_with_can_be_said_otherwise(file: Path) -> None:
    fitted, changed = EventGate(file), EventGate(file, threshold=0.9, longest_wait=1.0)
    assert (fitted.layers, fitted.threshold, fitted.longest_wait) == (1, 0.5, 3.0)
    assert (changed.threshold, changed.longest_wait) == (0.9, 1.0)
