"""No token of its own: the ablation without [CLS]."""

from __future__ import annotations

from typing import ClassVar

from gad_lightning.prompts.slots.base import Slot


class LastVisualSlot(Slot):
    """The last visual token of the asked frame; ``prompt.opener: ""`` says the same.

    Source: Pang et al., ICLR 2026, ablation of [CLS].
    """

    opener: ClassVar[str] = ""
