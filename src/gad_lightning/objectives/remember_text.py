"""What the language model makes of plain text stays what it was before training."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import DataError, SettingError
from gad_lightning.losses import divergence
from gad_lightning.objectives.base import Objective
from gad_lightning.prompts.plain_text import followed, read_text, text_blocks, text_tokens
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Loss, Tokens


class RememberText(Objective):
    """Holds the tuned language model to the one it came from, on plain text: KL(base || tuned) of every next token.

    Every so many batches one block of the text is read twice, with the LoRA off and without gradient, and with it. So
    fine-tuning costs less of what the model could do before. The blocks come in a random order, each once before any
    comes again; the order depends on the number of the batch alone, so a stopped run goes on exactly, and each process
    reads blocks of its own. Prediction runs none of it. A checkpoint names the file, and loads without it.

    Args:
        file: plain text in UTF-8, such as a few pages of what the model is to be good at still.
        every: batches from one block to the next, at least 1.
        tokens: of a block, at least 2; what is held beside them is two rows of the vocabulary a token.
        weight: of this loss beside the class loss of weight 1, in the batches that read a block.

    Raises:
        SettingError: if ``every`` or ``tokens`` is out of range, or the model was not kept as it came.

    Source: regularization to the pretrained model's outputs, Li and Hoiem, Learning without Forgetting, ECCV 2016; on
        text that is no part of the task, which is ours.
    """

    name: ClassVar[str] = "remember"

    def __init__(self, file: str, every: int = 8, tokens: int = 256, weight: float = 1.0) -> None:
        super().__init__(weight)
        if every < 1:
            raise SettingError(
                f"every of RememberText counts batches and must be at least 1, got {every}.", "8 is ours"
            )
        if tokens < 2:
            raise SettingError(f"tokens of RememberText must be at least 2, got {tokens}.", "256 is ours")
        self.file, self.every, self.tokens = file, every, tokens
        self.blocks: Tensor | None = None
        self.turn = 0

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """See that a block fits the language model; the file is read when training starts."""
        if self.tokens > backbone.max_positions:
            raise SettingError(
                f"RememberText reads blocks of {self.tokens} tokens; the language model's max_positions is "
                f"{backbone.max_positions}.",
                "make tokens of RememberText smaller",
            )

    def begin(self, number: int, process: int, processes: int) -> None:
        """Note whether this batch reads a block, and which."""
        turn, rest = divmod(number, self.every)
        self.due, self.turn = rest == 0, turn * processes + process

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compare both on the block whose turn it is.

        Raises:
            MissingDataError: if the file is not there.
            DataError: if it holds no text.
            SettingError: if the language model as it came is gone.
        """
        block = self._block(backbone)
        laid, places = text_tokens(block).to(states.device), followed(block)[0].to(states.device)
        no_frames = torch.zeros(1, 1, 1, batch.frames.shape[-1], device=states.device)
        size = backbone.vocabulary.size
        with torch.no_grad(), backbone.original():
            base = backbone.token_logits(backbone(laid, no_frames).flatten(0, 1)[places])[:, :size]
        tuned = backbone.token_logits(backbone(laid, no_frames).flatten(0, 1)[places])
        each = divergence(base, tuned)
        return Loss(each.sum(), each.new_tensor(float(len(each))))

    def _block(self, backbone: Backbone) -> Tensor:
        """The block whose turn it is, (1, T): in a new random order each time all were read."""
        if self.blocks is None:
            self.blocks = text_blocks(read_text(Path(self.file), "RememberText"), backbone.vocabulary, self.tokens)
        if not len(self.blocks):
            raise DataError(f"RememberText: the tokenizer makes hardly a token of {self.file}.", "give more text")
        round_, place = divmod(self.turn, len(self.blocks))
        order = torch.randperm(len(self.blocks), generator=torch.Generator().manual_seed(round_))
        return self.blocks[order[place]].unsqueeze(0)
