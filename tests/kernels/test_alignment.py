"""Global alignment: against every path enumerated, published values, and what padding and length must not change."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.kernels.alignment import AlignmentKernel, local_log_kernel, log_alignment
from gad_lightning.kernels.base import SliceDistance, Slices
from tests.kernels.making import of_classes, random_table

GRIDS = {(1, 1): 1, (1, 4): 1, (2, 2): 3, (3, 3): 13, (3, 5): 41, (5, 4): 129}


@cache
def paths(n: int, m: int) -> list[list[tuple[int, int]]]:
    """Every alignment of n and m slices, as the cells it visits."""
    if (n, m) == (1, 1):
        return [[(0, 0)]]
    before = [(n - 1, m), (n, m - 1), (n - 1, m - 1)]
    return [[*path, (n - 1, m - 1)] for i, j in before if i and j for path in paths(i, j)]


def logs(log_kernel: Tensor) -> Tensor:
    """Log kernel of one pair that fills its table, ()."""
    n, m = log_kernel.shape
    return log_alignment(log_kernel[None], torch.tensor([n]), torch.tensor([m]))[0]


@pytest.mark.parametrize(("n", "m"), GRIDS, ids=str)
def test_it_is_the_sum_over_every_alignment(n: int, m: int) -> None:
    assert len(paths(n, m)) == GRIDS[n, m]
    log_kernel = -3 * torch.rand(n, m, dtype=torch.float64, generator=torch.Generator().manual_seed(n * 10 + m))
    cells = [torch.tensor(path) for path in paths(n, m)]
    each = torch.stack([log_kernel[cell[:, 0], cell[:, 1]].sum() for cell in cells])
    assert abs(float(logs(log_kernel) - each.logsumexp(0))) < 1e-14


@pytest.mark.parametrize(("constant", "expected"), [(0.6, 1.46016), (1.0, 13.0)])
def test_a_constant_kernel_gives_the_polynomial_of_its_path_lengths(constant: float, expected: float) -> None:
    found = logs(torch.full((3, 3), math.log(constant), dtype=torch.float64)).exp()
    assert float(found) == pytest.approx(expected, rel=1e-12)
    general = sum(
        math.factorial(4 - d) / (math.factorial(d) * math.factorial(2 - d) ** 2) * constant ** (5 - d) for d in range(3)
    )
    assert general == pytest.approx(expected, rel=1e-12)


def of_numbers(x: list[float], y: list[float], sigma: float) -> Tensor:
    """Log kernel of two series of numbers, as published examples have them."""
    first, second = (torch.tensor(series, dtype=torch.float64) for series in (x, y))
    squared = (first[:, None] - second).square()
    return logs(local_log_kernel(squared[None], torch.tensor([sigma], dtype=torch.float64))[0])


def test_the_published_values_of_another_implementation() -> None:
    """Those of the documentation of tslearn, and of a run of it."""
    x, y, longer = [1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 2.0, 3.0, 4.0]
    found = of_numbers(x, y, 2.0)
    assert float(found) == pytest.approx(2.7316488821353975, rel=1e-13)
    assert float(found.exp()) == pytest.approx(15.358189998480222, rel=1e-13)
    own = of_numbers(x, x, 2.0) + of_numbers(y, y, 2.0)
    assert float((found - own / 2).exp()) == pytest.approx(0.839336907936809, rel=1e-13)
    found, own = of_numbers(x, longer, 1.0), of_numbers(x, x, 1.0) + of_numbers(longer, longer, 1.0)
    assert float(found.exp()) == pytest.approx(3.166011071272157, rel=1e-13)
    assert float((found - own / 2).exp()) == pytest.approx(0.2733855908733379, rel=1e-13)


@pytest.mark.parametrize(("cosine", "expected"), [(0.0, 0.00924246022634167), (0.9, 0.5041213444160909)])
def test_two_single_slices_give_the_local_kernel(cosine: float, expected: float) -> None:
    squared = torch.tensor([[[2 - 2 * cosine]]], dtype=torch.float64)
    assert float(local_log_kernel(squared, torch.tensor([0.5])).exp()) == pytest.approx(expected, rel=1e-13)
    table = torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]])
    one, other = of_classes([[0]], table), of_classes([[1]], table)
    assert float(AlignmentKernel(0.5)(one, other)) == pytest.approx(expected, rel=1e-4)
    assert float(AlignmentKernel(0.5, single_slice="cosine")(one, other)) == pytest.approx(cosine, abs=1e-6)


def test_the_gradient_is_right_and_nothing_flows_into_padding() -> None:
    lengths = torch.tensor([2, 3]), torch.tensor([4, 2])
    log_kernel = -torch.rand(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_kernel.requires_grad_()
    assert torch.autograd.gradcheck(lambda given: log_alignment(given, *lengths), (log_kernel,))
    log_alignment(log_kernel, *lengths).sum().backward()
    assert log_kernel.grad is not None
    assert (log_kernel.grad[0, 2:] == 0).all()
    assert (log_kernel.grad[1, :, 2:] == 0).all()
    assert (log_kernel.grad[0, :2] > 0).all()


def test_the_gradient_is_the_expected_alignment() -> None:
    log_kernel = -torch.rand(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_kernel.requires_grad_()
    (expected,) = torch.autograd.grad(logs(log_kernel), log_kernel)
    assert expected[0, 0].item() == pytest.approx(1.0)
    assert expected[-1, -1].item() == pytest.approx(1.0)
    assert (expected.sum(0) > 1 - 1e-12).all()
    assert (expected.sum(1) > 1 - 1e-12).all()
    assert 5 <= expected.sum() <= 8


@pytest.mark.slow  # compiles the other implementation
def test_values_and_gradients_are_those_of_soft_dtw_of_another_implementation() -> None:
    pytest.importorskip("tslearn", reason="the extra `test`")
    from tslearn.metrics import SoftDTWLossPyTorch

    def phi(x: Tensor, y: Tensor) -> Tensor:
        squared = (x[:, :, None] - y[:, None]).square().sum(-1)
        return -local_log_kernel(squared, torch.full((len(x),), 0.7, dtype=torch.float64))

    random = torch.Generator().manual_seed(0)
    x, y = (torch.randn(3, length, 2, dtype=torch.float64, generator=random) for length in (6, 4))
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    lengths = torch.tensor([6] * 3), torch.tensor([4] * 3)
    mine = log_alignment(-phi(ours, y), *lengths)
    soft = SoftDTWLossPyTorch(gamma=1.0, normalize=False, dist_func=phi)(theirs, y)
    assert mine.tolist() == pytest.approx((-soft).tolist(), rel=1e-6)  # theirs pass through float32
    mine.sum().backward()
    soft.sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, -theirs.grad, atol=1e-5)


@pytest.mark.slow  # compiles the other implementation
def test_a_long_sequence_has_a_value_where_another_implementation_underflows() -> None:
    pytest.importorskip("tslearn", reason="the extra `test`")
    from tslearn.metrics import gak

    random = torch.Generator().manual_seed(0)
    x, y = (torch.rand(200, dtype=torch.float64, generator=random) * 4 for _ in range(2))
    assert gak(x.numpy(), y.numpy(), sigma=0.3) < 1e-300  # it takes no logarithms; some machines keep such numbers
    found = of_numbers(x.tolist(), y.tolist(), 0.3) - (of_numbers(x.tolist(), x.tolist(), 0.3)) / 2
    assert torch.isfinite(found)
    assert float(found) < -600


def test_padding_changes_no_bit() -> None:
    sequences = [[0, 1, 2], [2, 1], [3], [0, 2, 1, 4]]
    narrow, wide = (of_classes(sequences, random_table(), longest) for longest in (4, 9))
    assert torch.equal(AlignmentKernel(0.8)(narrow, narrow), AlignmentKernel(0.8)(wide, wide))
    filled = wide._replace(rows=torch.where(wide.real[..., None], wide.rows, torch.tensor(0.7)))
    assert torch.equal(AlignmentKernel(0.8)(narrow, narrow), AlignmentKernel(0.8)(filled, filled))


def test_it_is_symmetric_to_the_bit_one_on_the_diagonal_and_within_bounds() -> None:
    random = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 7, (40,), generator=random).tolist()
    slices = of_classes([torch.randint(16, (n,), generator=random).tolist() for n in lengths], random_table())
    found = AlignmentKernel(0.6)(slices, slices)
    assert torch.equal(found, found.T)
    assert torch.allclose(found.diagonal(), torch.ones(40))
    assert (found >= 0).all()
    assert (found <= 1).all()
    again = AlignmentKernel(0.6)(slices.at(torch.arange(10)), slices.at(torch.arange(40)))
    assert torch.allclose(again, found[:10], atol=1e-6)


def test_many_pairs_are_worked_off_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = of_classes([[i, (i * 3) % 16, (i * 5) % 16] for i in range(9)])
    whole = AlignmentKernel(0.8)(slices, slices)
    monkeypatch.setattr("gad_lightning.kernels.alignment.PAIRS_TOGETHER", 7)
    monkeypatch.setattr("gad_lightning.kernels.alignment.ROWS_TOGETHER", 2)
    assert torch.equal(AlignmentKernel(0.8)(slices, slices), whole)


def test_order_counts_and_more_so_than_one_change_less_than_all() -> None:
    slices = of_classes([[0, 1, 2, 3, 4, 5], [0, 1, 9, 3, 4, 5], [0, 1, 3, 2, 4, 5], [5, 4, 3, 2, 1, 0], [9] * 6])
    same, changed, swapped, reversed_, other = AlignmentKernel(0.5)(slices, slices)[0].tolist()
    assert [same, changed, swapped] == pytest.approx([1.0, 0.44, 0.47], abs=0.01)
    assert [reversed_, other] == pytest.approx([0.01, 0.01], abs=0.01)


def test_two_hundred_slices_stay_exact_in_float32() -> None:
    random = torch.Generator().manual_seed(0)
    squared = torch.rand(1, 200, 200, dtype=torch.float64, generator=random) * 4
    sigma, length = torch.tensor([0.3], dtype=torch.float64), torch.tensor([200])
    exact = float(log_alignment(local_log_kernel(squared, sigma), length, length))
    single = float(log_alignment(local_log_kernel(squared.float(), sigma.float()), length, length))
    assert exact < -600  # its exponential is nothing, even in double precision
    assert single == pytest.approx(exact, abs=0.01)


def test_auto_takes_half_the_median_distance_of_different_slices() -> None:
    slices = of_classes([[0, 1], [2, 1], [0]])
    kernel, chosen = AlignmentKernel(), AlignmentKernel(0.5 * math.sqrt(2))
    assert torch.allclose(kernel(slices, slices), chosen(slices, slices))
    kernel.fit(of_classes([[0, 1, 2]], random_table()))
    assert not torch.allclose(kernel(slices, slices), chosen(slices, slices))
    alone = of_classes([[3], [3]])
    assert torch.equal(AlignmentKernel()(alone, alone), torch.ones(2, 2))


def test_no_gradient_goes_through_it_and_half_precision_is_compared_in_float32() -> None:
    slices = of_classes([[0, 1], [1, 2]])
    trained = slices._replace(rows=slices.rows.clone().requires_grad_())
    assert not AlignmentKernel(0.5)(trained, trained).requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = AlignmentKernel(0.5)(slices, slices)
    assert torch.equal(under, AlignmentKernel(0.5)(slices, slices))


@pytest.mark.parametrize(
    "arguments", [{"delta": 0.0}, {"delta": -1.0}, {"delta": math.nan}, {"delta": "x"}, {"factor": 0.0}]
)
def test_scales_that_mean_nothing_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"(delta|factor) of AlignmentKernel must be a number above 0, got [^!]*try"):
        AlignmentKernel(**arguments)


def test_a_sequence_without_a_slice_is_refused() -> None:
    empty = of_classes([[0]])._replace(counts=torch.tensor([0]))
    with pytest.raises(SettingError, match="without a slice"):
        AlignmentKernel()(empty, empty)


def test_distances_of_ones_own_are_used() -> None:
    class Apart(SliceDistance):
        """Everything is far from everything."""

        def between(self, a: Slices, b: Slices) -> Tensor:
            return super().between(a, b) * 0 + 4

    slices = of_classes([[0], [0]])
    assert AlignmentKernel(0.5)(slices, slices)[0, 1] == 1
    assert AlignmentKernel(0.5, distance=Apart())(slices, slices)[0, 1] == 1  # divided by its own
    assert AlignmentKernel(0.5, distance=Apart(), single_slice="cosine")(slices, slices)[0, 1] == 0
