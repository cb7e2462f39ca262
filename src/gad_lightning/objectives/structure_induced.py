"""Similar histories shall have similar slot states."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.kernels.alignment import AlignmentKernel
from gad_lightning.kernels.base import SequenceKernel, Slices
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.gathering import gathered, gathered_slices
from gad_lightning.objectives.slices import ActionSlices, SliceSource
from gad_lightning.objectives.write_answer import OF_NEIGHBORS
from gad_lightning.schema import DataSchema
from gad_lightning.types import IGNORED, Batch, Loss, Tokens, first_class


class StructureInduced(Objective):
    """Fits the cosines of projected slot states to how alike the sequences behind the queries are.

    Every pair of queries of a batch, of all processes together, is compared twice: by the cosine of their slot states
    behind a small projector, and by a frozen kernel of what had happened up to them. The loss is the squared difference
    over all pairs. So states of the same steps in the same order lie together, and can be searched. Prediction runs
    neither the kernel nor the projector; the projector gives the embeddings of a search.

    Args:
        kernel: how alike two sequences are; :class:`AlignmentKernel` by default.
        slices: what a query's sequence is made of; :class:`ActionSlices` by default.
        embed_width: of the embeddings.
        same_sample: similarity of two queries within one segment of a video, in place of the kernel's; 1 as published
            (there of one document). None leaves it to the kernel.
        reduction: ``paper`` divides the sum over all pairs by the number of queries n, ``mean`` by n^2, so that the
            weight does not depend on the batch.
        fraction: of the queries that take part, in (0, 1]; by default one in eight of the neighbors that share
            a trunk in one pass, and all in windows.
        weight: alpha of the paper, of this loss beside the class loss of weight 1.

    Raises:
        SettingError: if ``fraction`` or ``same_sample`` is out of range.

    Source: Chow et al., Sugar, NeurIPS 2024 (arXiv 2411.00304), equations 1 to 3. Dividing by n^2, sequences of actions
    and what ``None`` stands for are ours.
    """

    name: ClassVar[str] = "structure"

    def __init__(
        self,
        kernel: SequenceKernel | None = None,
        slices: SliceSource | None = None,
        embed_width: int = 128,
        same_sample: float | None = None,
        reduction: Literal["paper", "mean"] = "paper",
        fraction: float | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        if fraction is not None and not 0 < fraction <= 1:
            raise SettingError(
                f"fraction is a part of the queries and must lie in (0, 1], got {fraction}.", "use 1 for all"
            )
        if same_sample is not None and not 0 <= same_sample <= 1:
            raise SettingError(f"same_sample is a cosine in [0, 1], got {same_sample}.", "use 1 as published, or none")
        self.kernel, self.slices = kernel or AlignmentKernel(), slices or ActionSlices()
        self.embed_width, self.same_sample, self.reduction, self.fraction = (
            embed_width,
            same_sample,
            reduction,
            fraction,
        )

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Make the projector and the slices, and let the kernel choose its scale."""
        usual = OF_NEIGHBORS if schema.windows.mode == "one_pass" else 1.0
        self.compared = usual if self.fraction is None else self.fraction
        first = schema.tasks[0].labels
        self.of_first = torch.tensor([task.labels == first for task in schema.tasks])
        width = backbone.hidden_size
        self.projector = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, self.embed_width))
        self.slices.prepare(schema, backbone)
        every = self.slices.every()
        if every is not None:
            self.kernel.fit(every)

    def embed(self, states: Tensor) -> Tensor:
        """Embeddings of slot states: (Q, H) -> (Q, p) float32, each of length 1."""
        projected: Tensor = self.projector(states.to(next(self.projector.parameters()).dtype))
        return normalize(projected.float(), dim=-1)

    def chosen(self, batch: Batch) -> Tensor:
        """Which queries are compared, (Q,) bool: those with a label of the first task, thinned to the share."""
        scored = (first_class(batch.label) != IGNORED) & self.of_first[batch.task]
        return scored & (batch.uniform < self.compared)

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compute the squared differences of this process's queries to those of all processes."""
        chosen = self.chosen(batch)
        own = self.embed(tokens.at_slots(states)[chosen.to(states.device)])
        slices = self.slices.slices(batch.asking(chosen)).to(states.device)
        every, others = gathered(own), gathered_slices(slices)
        if not len(own):  # still part of the exchange, whose gradients the other processes wait for
            return Loss(every.sum() * 0, every.new_zeros(()))
        with torch.autocast(states.device.type, enabled=False):
            squares = (own @ every.T - self.targets(slices, others)).square()
        total = squares.sum() / (len(every) if self.reduction == "mean" else 1)
        return Loss(total, total.new_tensor(float(len(own))))

    def targets(self, slices: Slices, others: Slices) -> Tensor:
        """What the cosines shall be: (A, B) float32, without gradient."""
        wanted = self.kernel(slices, others)
        if self.same_sample is None:
            return wanted
        same = slices.sample[:, None] == others.sample
        return wanted.masked_fill(same, self.same_sample)
