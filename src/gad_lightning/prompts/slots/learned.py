"""The paper's slot."""

from __future__ import annotations

from gad_lightning.prompts.slots.base import Slot


class LearnedSlot(Slot):
    """A learned vector, [CLS], after the asked frame.

    Source: Pang et al., ICLR 2026, discriminative classifier.
    """
