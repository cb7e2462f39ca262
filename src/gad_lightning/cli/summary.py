"""What a run says of its model before it trains."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import ModelSummary
from lightning.pytorch.utilities import rank_zero_info


class PlainSummary(ModelSummary):
    """The parts of the model and their sizes, without counts that say nothing here (operations, modes)."""

    @staticmethod
    def summarize(
        summary_data: list[tuple[str, list[str]]],
        total_parameters: int,
        trainable_parameters: int,
        model_size: float,
        total_training_modes: dict[str, int],
        total_flops: int,
        **summarize_kwargs: Any,
    ) -> None:
        """Print a line a part, and how much is trained."""
        columns = dict(summary_data)
        rows = zip(columns["Name"], columns["Type"], columns["Params"], strict=True)
        lines = [f"  {name:<24} {kind:<28} {size:>8}" for name, kind, size in rows]
        total = f"{trainable_parameters:,} of {total_parameters:,} parameters are trained; all take {model_size:.1f} MB"
        rank_zero_info("\n".join(["The model:", *lines, total]))
