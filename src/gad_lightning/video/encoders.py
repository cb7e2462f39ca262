"""Vision encoders: pictures -> features, frozen."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d

from gad_lightning.parts import Part
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.base import Picture, Resize


class Encoder(Part, nn.Module):
    """Turns pictures into N tokens of width D each; never trained.

    ``prepare`` runs where videos are decoded, picture by picture; ``forward`` runs in batches on the device.
    Constructors read no file: ``load`` does. ``shrink`` is the size the decoder may hand pictures over in, None for
    their own.
    """

    shrink: Resize | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """What the encoder is called, without paths of this machine."""

    @property
    @abstractmethod
    def revision(self) -> str | None:
        """Which version of its weights, or None if there is only one."""

    @property
    @abstractmethod
    def width(self) -> int:
        """D."""

    @property
    @abstractmethod
    def tokens_per_frame(self) -> int:
        """N."""

    @abstractmethod
    def forward(self, pictures: Tensor) -> Tensor:
        """Encode prepared pictures: (B, h, w, 3) uint8 -> (B, N, D) float32."""

    def prepare(self, picture: Picture) -> Picture:
        """Bring one picture to the size that ``forward`` takes: (H, W, 3) -> (h, w, 3), both uint8."""
        return picture

    def load(self) -> None:  # most encoders have nothing to read
        """Read weights; called once before the first ``forward``."""

    @property
    def label(self) -> str:
        """Name and revision, as :class:`~gad_lightning.FeatureSpec` stores them."""
        return f"{self.name}@{self.revision}" if self.revision else self.name

    @property
    def recipe(self) -> dict[str, Any]:
        """What is done to pictures beforehand, as plain data: features of another recipe are not mixed with these."""
        return {"shrink": None if self.shrink is None else self.shrink._asdict()}

    def feature_spec(self, fps: float) -> FeatureSpec:
        """Describe the features this encoder makes at ``fps`` frames a second."""
        return FeatureSpec(self.label, fps, self.width, self.tokens_per_frame)

    @torch.inference_mode()
    def encode(self, pictures: Tensor | Picture) -> Tensor:
        """Encode pictures of one size, not yet prepared: (B, H, W, 3) uint8 -> (B, N, D) float32 on ``device``."""
        self.load()
        here = pictures.cpu() if isinstance(pictures, Tensor) else pictures  # they are prepared on the CPU
        ready = np.stack([self.prepare(picture) for picture in np.asarray(here, dtype=np.uint8)])
        features: Tensor = self(torch.from_numpy(ready).to(self.device))
        return features

    @property
    def device(self) -> torch.device:
        """Where ``forward`` runs."""
        held = next(self.buffers(), next(self.parameters(), None))
        return torch.device("cpu") if held is None else held.device


class SmallEncoder(Encoder):
    """The built-in encoder that needs no download: 3 color maps and 3 edge maps on a 4 x 4 grid, 96 numbers a frame.

    Values lie in about [0, 1]. It tells the drawn kitchen's actions apart and knows nothing of real videos: use
    :class:`~gad_lightning.HuggingFaceEncoder` for those.

    Args:
        seed: the edge filters are a pure function of it.

    Example:
        >>> SmallEncoder().encode(np.zeros((2, 120, 160, 3), np.uint8)).shape
        torch.Size([2, 1, 96])
    """

    shrink = Resize(96)
    filters: Tensor

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        noise = np.random.RandomState(seed).standard_normal((3, 3, 9, 9))  # its stream is frozen for ever
        smooth = avg_pool2d(torch.from_numpy(noise), 3, stride=1)
        edges = smooth - smooth.mean((1, 2, 3), keepdim=True)
        unit = edges / edges.flatten(1).norm(dim=1)[:, None, None, None]
        self.register_buffer("filters", unit.float(), persistent=False)

    @property
    def name(self) -> str:
        """Small; other filters have another name."""
        return "small" if self.seed == 0 else f"small-seed{self.seed}"

    @property
    def revision(self) -> None:
        """There is one version."""
        return None

    @property
    def width(self) -> int:
        """D: 6 maps of 16 cells."""
        return 96

    @property
    def tokens_per_frame(self) -> int:
        """N: the whole picture is one token."""
        return 1

    def forward(self, pictures: Tensor) -> Tensor:
        """Pool brightness, two color differences and the strength of three kinds of edges."""
        colors = pictures.permute(0, 3, 1, 2).float() / 255
        if colors.shape[-2:] != (96, 96):
            colors = adaptive_avg_pool2d(colors, 96)
        edges = adaptive_avg_pool2d(conv2d(colors, self.filters, stride=3).abs(), 4)
        red, green, blue = adaptive_avg_pool2d(colors, 4).unbind(1)
        opponents = [(red + green + blue) / 3, (red - blue + 1) / 2, (2 * green - red - blue + 2) / 4]
        return torch.cat([torch.stack(opponents, 1), edges], 1).flatten(1).unsqueeze(1)
