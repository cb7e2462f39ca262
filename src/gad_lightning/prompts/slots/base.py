"""The contract of a slot."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from gad_lightning.parts import Part


class Slot(Part, nn.Module):
    """The token at the end of a branch whose state the head reads, and what it is told of the frames directly.

    A subclass may change :attr:`opener`, and may add to the slot's input vector something made of the visual vectors
    that it sees: :meth:`reach` says of how many frames, :meth:`shown` what. It is the same function of the same
    vectors in window mode, in one pass, live and in an exported file. What it learns itself goes into checkpoints.
    """

    opener: ClassVar[str] = "<cls>"
    """Text with which a branch begins, unless ``prompt.opener`` gives another; ``<name>`` is a learned vector. The last
    token is the slot; with an empty text it is the last visual token."""

    def reach(self, window: int) -> int:
        """Frames up to the asked one that :meth:`shown` looks at, at most ``window``; 0: it is not called."""
        return 0

    def shown(self, visual: Tensor, sample: Tensor, anchor: Tensor, window: int) -> Tensor:
        """Make what is added to the slots' input vectors.

        Args:
            visual: (B, F, H) visual vectors, of frames with several tokens their mean. Those after a sample's last
                frame mean nothing.
            sample: (Q,) the sample of each query.
            anchor: (Q,) the asked frame; live, that is the last of the frames kept, as many as :meth:`reach` says.
            window: frames that a query sees at most, its own counted: it sees ``anchor - window + 1`` to ``anchor``.

        Returns:
            (Q, H).
        """
        raise NotImplementedError
