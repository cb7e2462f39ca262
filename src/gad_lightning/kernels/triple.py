"""Slices of two modalities: a tower for each, and one that sees both."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.kernels.base import SliceDistance, Slices, squared_distances


class TripleKernel(SliceDistance):
    """Images are compared by one tower, sentences by another, and an image with a sentence by a third that sees both.

    The published proof that this is a kernel does not hold: two images that their own tower holds for orthogonal, and
    one sentence that the third tower holds for equal to both, give a Gram matrix with a negative eigenvalue. So it is
    used as a similarity, and values are clamped to [0, 1].

    Source: Chow et al., Sugar, NeurIPS 2024 (arXiv 2411.00304), section 3.3.
    """

    def between(self, a: Slices, b: Slices) -> Tensor:
        """Of every slice to every other.

        Raises:
            SettingError: if the slices have no rows of a tower that sees both.
        """
        if a.cross is None or b.cross is None:
            raise SettingError(
                "TripleKernel compares images with sentences, and these slices have no rows of a tower that sees both.",
                "give Slices.cross, or leave the distance out",
            )
        alike = a.modality[:, None, :, None] == b.modality[None, :, None, :]
        return torch.where(alike, squared_distances(a.rows, b.rows), squared_distances(a.cross, b.cross))
