"""Names of the training moments that look like a query's frames, as text before the answer."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gad_lightning.errors import SettingError
from gad_lightning.exact_buffers import ExactBuffers
from gad_lightning.parts import Part

PLACE = "{moments}"
"""Where the names stand in the text."""
DIGITS = 9
"""Of a cosine in float64; what differs by less is a tie, whatever the sums were rounded by."""
NAMES_APART = 1 << 24
"""Names of videos are told apart by that many numbers, which float32 holds."""


class NeighborTexts(Part, ExactBuffers):
    """Tells a generative classifier the classes of the training moments that look most like a query's last frames.

    A moment is a labeled stretch of a training video, background too; its key is the mean of its standardized frames,
    and a query's key the mean of the last ones it sees, compared by their cosine. So a key is made of frames alone.
    A query never meets moments of its own video: that is, of a video of that name, as data modules give it. The names
    stand on the query's branch, before the opener, the most similar first. The moments are kept in checkpoints.

    Args:
        count: moments that are told, at least 1.
        frames: of a query, the last ones, whose mean is compared; at least 1 and at most ``data.short_memory``.
        most: moments kept, at least 1; of more, every n-th.
        text: with ``{moments}`` where the names stand, commas between them.

    Raises:
        SettingError: if a number is below 1, or ``text`` has no ``{moments}``.

    Source: Chow et al., Sugar, NeurIPS 2024 (arXiv 2411.00304): examples that were found, before the question, their
    keys without answers. Frames as keys, in place of states, are ours: they do not change while the model learns.
    """

    table: Tensor  # (most, D + 2) float32: key of length 1, class (-1: no moment), number of the video's name

    def __init__(
        self, count: int = 3, frames: int = 8, most: int = 1024, text: str = "\nSimilar moments: {moments}"
    ) -> None:
        super().__init__()
        for name, value in (("count", count), ("frames", frames), ("most", most)):
            if value < 1:
                raise SettingError(f"{name} of NeighborTexts must be at least 1, got {value}.", f"raise {name}")
        if text.count(PLACE) != 1:
            raise SettingError(
                f"text of NeighborTexts must have {PLACE} once, got {text!r}.", "say where the names stand"
            )
        self.count, self.frames, self.most = count, frames, most
        self.before, _, self.after = text.partition(PLACE)
        self.names: tuple[int, ...] = ()

    def prepare(self, width: int, short_memory: int, short_stride: int) -> None:
        """Make room for the moments.

        Args:
            width: D of the features.
            short_memory: frames that a query sees last.
            short_stride: of these frames.

        Raises:
            SettingError: if a query does not see every one of its last ``frames`` frames.
        """
        if short_stride != 1 or self.frames > short_memory:
            raise SettingError(
                f"NeighborTexts compares the last {self.frames} frames of a query, which does not see all of them: "
                f"data.short_memory is {short_memory}, data.short_stride {short_stride}.",
                "lower frames of NeighborTexts, or set data.short_stride to 1",
            )
        self.register_buffer("table", torch.cat([torch.zeros(self.most, width), -torch.ones(self.most, 2)], 1))

    def take(self, keys: Tensor, labels: Tensor, videos: Sequence[str]) -> None:
        """Keep moments in place of those that were there.

        Args:
            keys: (n, D) means of standardized frames.
            labels: (n,) class.
            videos: n names.
        """
        numbers = torch.tensor([float(number_of(name)) for name in videos]).double()
        rows = torch.cat([normalize(keys.double(), dim=1), torch.stack([labels.double(), numbers], 1)], 1)
        if len(rows) > self.most:
            rows = rows[torch.arange(self.most) * len(rows) // self.most]
        self.table[:, :-2], self.table[:, -2:] = 0, -1
        self.table[: len(rows)] = rows.to(self.table)

    def know(self, names: Sequence[str]) -> None:
        """Take the names of the videos that a data module numbers; none where nobody knows them."""
        self.names = tuple(number_of(name) for name in names)

    def nearest(self, recent: Tensor, there: Tensor, video: Tensor) -> list[list[int]]:
        """Classes of the most similar moments of each query, at most ``count``, the first the most similar.

        Args:
            recent: (Q, K, D) standardized frames, the newest last of those that are there.
            there: (Q, K) bool.
            video: (Q,) number of the video in the data module.
        """
        kept = self.table[self.table[:, -2] >= 0].cpu().double()
        shown = there.unsqueeze(2).cpu()
        keys = normalize((recent.cpu().double() * shown).sum(1) / shown.sum(1), dim=1)
        own = [self.names[number] if 0 <= number < len(self.names) else -1 for number in video.tolist()]
        cosines = (keys @ kept[:, :-2].T * 10**DIGITS).round()
        cosines = cosines.masked_fill(kept[:, -1] == torch.tensor(own).unsqueeze(1), -torch.inf)
        best = cosines.sort(dim=1, descending=True, stable=True)
        rows = zip(best.indices[:, : self.count], best.values[:, : self.count] > -torch.inf, strict=True)
        return [kept[chosen[known], -2].round().long().tolist() for chosen, known in rows]


def number_of(name: str) -> int:
    """Number of a video's name, which few others share.

    Example:
        >>> number_of("video 1") == number_of("video 1"), number_of("video 1") == number_of("video 2")
        (True, False)
    """
    return zlib.crc32(name.encode()) % NAMES_APART
