"""A classifier as a function of whole windows."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.exporting.pieces import Pieces


class WholeWindow(Pieces):
    """A classifier as a plain function of whole windows: no padding, no branches but the last frame's, no mask."""

    def forward(self, frames: Tensor) -> Tensor:
        """Log-probabilities (B, C) of what happens at the last frame of windows (B, F, N, D), as features are."""
        size, length = frames.shape[:2]
        visual = self.visual(frames)
        mapped = visual.to(self.before.dtype)
        separators = self.between.expand(size, length, -1, -1)
        shown = torch.cat([separators, mapped], 2).flatten(1, 2)[:, len(self.between) :]
        after = self.after.expand(size, -1, -1)
        if self.reach:
            sample = torch.arange(size, device=frames.device)
            last = torch.full_like(sample, length - 1)
            after = self.opener(self.slot.shown(visual.mean(2), sample, last, self.window))
        whole = [self.before.expand(size, -1, -1), shown, after]
        states = self.decoder(inputs_embeds=torch.cat(whole, 1), use_cache=False).last_hidden_state
        return self.scores(states[:, -1])
