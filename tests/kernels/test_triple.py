"""Two modalities: which tower compares what, and why it is no kernel in the strict sense."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.kernels.alignment import AlignmentKernel
from gad_lightning.kernels.base import TEXT, VISION, Slices
from gad_lightning.kernels.triple import TripleKernel
from tests.kernels.making import of_classes

IMAGE, OTHER_IMAGE, SENTENCE = range(3)
OWN = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
SHARED = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])


def mixed(*sequences: list[int]) -> Slices:
    """Two images that their own tower holds for orthogonal, and a sentence that fits both."""
    indices = torch.tensor(sequences)
    modality = torch.where(indices == SENTENCE, TEXT, VISION)
    counts = torch.full((len(sequences),), indices.shape[1])
    return Slices(OWN[indices], SHARED[indices], modality, counts, torch.arange(len(sequences)))


def test_each_pair_of_modalities_has_its_tower() -> None:
    one = mixed([IMAGE, OTHER_IMAGE, SENTENCE])
    expected = [[0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert TripleKernel().between(one, one)[0, 0].tolist() == expected


def test_its_gram_matrix_has_a_negative_eigenvalue() -> None:
    every = mixed([IMAGE], [OTHER_IMAGE], [SENTENCE])
    gram = AlignmentKernel(0.5, distance=TripleKernel())(every, every)
    assert float(torch.linalg.eigvalsh(gram)[0]) == pytest.approx(-0.41, abs=0.01)


def test_values_above_one_are_clamped() -> None:
    kernel = AlignmentKernel(0.5 / 2**0.5, distance=TripleKernel())  # sigma 0.5 for two slices
    images, sentences = mixed([IMAGE, OTHER_IMAGE]), mixed([SENTENCE, SENTENCE])
    assert float(kernel.compare(images, sentences)) == pytest.approx(1.716, abs=0.001)
    assert kernel(images, sentences).tolist() == [[1.0]]


def test_without_a_tower_that_sees_both_it_is_refused() -> None:
    plain = of_classes([[0]])
    with pytest.raises(SettingError, match=r"no rows of a tower that sees both[^!]*Slices\.cross"):
        AlignmentKernel(0.5, distance=TripleKernel())(plain, plain)
