"""Any vision model of the Hugging Face hub as an encoder: SigLIP, CLIP, DINOv2, MobileNetV2 ..."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gad_lightning.errors import DataError, SettingError
from gad_lightning.optional import need
from gad_lightning.video.base import Picture, Resize
from gad_lightning.video.encoders import Encoder

TOKENS = re.compile(r"(pooled)?\+?(?:grid(\d+)x(\d+))?")
"""How ``tokens`` is written."""


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep transformers from reporting weights that a vision encoder leaves out; those it lacks are our error."""
    logging = need("transformers", why="for vision encoders of the Hugging Face hub").utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


class HuggingFaceEncoder(Encoder):
    """A vision model, or the vision half of a two-sided one, with its own image processor.

    The processor runs frame by frame with its PIL backend, so that torchvision is neither needed nor makes a
    difference. Code from the hub is never run.

    Args:
        name_or_folder: name on the hub, or a folder written by ``save_pretrained``.
        revision: branch, tag or commit on the hub; what is recorded is the commit.
        tokens: ``"pooled"`` is one token a frame, ``"grid3x3"`` nine (patches averaged in a 3 x 3 grid),
            ``"pooled+grid3x3"`` ten, the pooled one first.
        pad_to: pictures are shrunk until the longer side is this, then filled up with black to a square, before the
            processor sees them; 384 with SigLIP-large and ``pooled+grid3x3`` at 2 fps is the published COIN recipe.
        dtype: number type of the weights while encoding; features come as float32 in any case.
    """

    place: Tensor

    def __init__(
        self,
        name_or_folder: str,
        revision: str | None = None,
        tokens: str = "pooled",
        pad_to: int | None = None,
        dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    ) -> None:
        super().__init__()
        self.name_or_folder = name_or_folder
        self.asked_revision = revision
        self.tokens = tokens
        self.dtype = dtype
        self.shrink = None if pad_to is None else Resize(pad_to, "pad")
        self.register_buffer("place", torch.zeros(()), persistent=False)  # where weights go that are not read yet

    @property
    def name(self) -> str:
        """Name on the hub, or the last part of the folder's path."""
        return Path(self.name_or_folder).name if self._is_folder else self.name_or_folder

    @property
    def _is_folder(self) -> bool:
        return Path(self.name_or_folder).is_dir()

    @cached_property
    def revision(self) -> str:
        """Commit on the hub; for a folder, the first digits of the weights' SHA-256."""
        if not self._is_folder:
            commit = getattr(self.config, "_commit_hash", None)
            return str(commit or self.asked_revision or "main")[:12]
        digest = hashlib.sha256()
        folder = Path(self.name_or_folder)
        for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
            with path.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
        return digest.hexdigest()[:12]

    @property
    def width(self) -> int:
        """D, as one trial picture gave it."""
        return self._trial[1]

    @property
    def tokens_per_frame(self) -> int:
        """N."""
        return self._trial[0]

    @cached_property
    def _trial(self) -> tuple[int, int]:
        picture = self.prepare(np.zeros((64, 64, 3), np.uint8))
        self.load()
        with torch.inference_mode():
            shape = self(torch.from_numpy(picture)[None].to(self.device)).shape
        return shape[1], shape[2]

    @property
    def recipe(self) -> dict[str, Any]:
        """Padding, tokens, number type and the processor's settings."""
        settings = {key: value for key, value in self.processor.to_dict().items() if not key.startswith("_")}
        return super().recipe | {"tokens": self.tokens, "dtype": self.dtype, "processor": settings}

    @cached_property
    def parts(self) -> tuple[bool, tuple[int, int] | None]:
        """Whether the pooled token is wanted, and the grid.

        Raises:
            SettingError: if ``tokens`` names neither.
        """
        found = TOKENS.fullmatch(self.tokens)
        if not self.tokens or found is None or self.tokens.startswith("+") or self.tokens.endswith("+"):
            raise SettingError(
                f"tokens of HuggingFaceEncoder is {self.tokens!r}.", "give pooled, grid3x3 or pooled+grid3x3"
            )
        pooled, rows, columns = found.groups()
        return pooled is not None, (int(rows), int(columns)) if rows else None

    def _from_hub(self, kind: str, **more: Any) -> Any:
        """Load something by an Auto class of transformers."""
        transformers = need("transformers", why="for vision encoders of the Hugging Face hub")
        try:
            return getattr(transformers, kind).from_pretrained(
                self.name_or_folder, revision=self.asked_revision, trust_remote_code=False, **more
            )
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).partition("\n")[0]
            raise SettingError(
                f"{kind} cannot be read from the vision encoder {self.name_or_folder!r}: {reason}",
                "give a folder written by save_pretrained with its image processor, or a name of the hub",
            ) from error

    @cached_property
    def config(self) -> Any:
        """The model's configuration."""
        return self._from_hub("AutoConfig")

    @cached_property
    def processor(self) -> Any:
        """The image processor."""
        return self._from_hub("AutoImageProcessor", backend="pil")

    def load(self) -> None:
        """Read the weights, once.

        Raises:
            SettingError: if there are none.
            DataError: if some are missing in the files: they would be random.
        """
        if "model" in self._modules:
            return
        with _hushed():
            whole, info = self._from_hub("AutoModel", dtype=getattr(torch, self.dtype), output_loading_info=True)
        self.model: nn.Module = getattr(whole, "vision_model", whole)
        missing = sorted(key for key in info["missing_keys"] if not key.startswith(("text_model", "logit_")))
        self.has_pooler = not any("pooler" in key for key in missing)
        missing = [key for key in missing if "pooler" not in key]
        if missing:
            raise DataError(
                f"{self.name_or_folder} lacks {len(missing)} weights of its vision model, first {missing[0]!r}.",
                "get the whole checkpoint: missing weights would be random",
            )
        self.requires_grad_(False).eval().to(self.place.device)

    def prepare(self, picture: Picture) -> Picture:
        """Resize and crop as the processor says; scaling and normalization follow on the device."""
        pixels = self.processor(
            picture, do_rescale=False, do_normalize=False, return_tensors="np", input_data_format="channels_last"
        )["pixel_values"]
        return np.ascontiguousarray(pixels[0].transpose(1, 2, 0), dtype=np.uint8)

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalize, encode, pool."""
        pixels = pictures.permute(0, 3, 1, 2).float()
        if self.processor.do_rescale:
            pixels = pixels * self.processor.rescale_factor
        if self.processor.do_normalize:
            mean, std = (
                pixels.new_tensor(n).view(-1, 1, 1) for n in (self.processor.image_mean, self.processor.image_std)
            )
            pixels = (pixels - mean) / std
        found = self.model(pixel_values=pixels.to(getattr(torch, self.dtype)))
        patches, before = self.patches(found.last_hidden_state, pictures.shape[1], pictures.shape[2])
        pooled, grid = self.parts
        tokens = []
        if pooled:
            tokens.append(self.pooled(found, patches, before)[:, None])
        if grid:
            tokens.append(adaptive_avg_pool2d(patches.float(), grid).flatten(2).transpose(1, 2))
        return torch.cat([token.float() for token in tokens], 1)

    def patches(self, states: Tensor, height: int, width: int) -> tuple[Tensor, int]:
        """Arrange states as a map (B, D, rows, columns), and count the tokens before them (class token, registers)."""
        if states.ndim == 4:
            return states, 0
        size = getattr(self.model.config, "patch_size", None)
        rows, columns = (height // size, width // size) if isinstance(size, int) else (0, 0)
        before = states.shape[1] - rows * columns
        if not rows * columns or before < 0:
            raise SettingError(
                f"{self.name_or_folder} gives {states.shape[1]} states for a picture of {height} x {width}, which are "
                "no grid of patches.",
                "use another vision model",
            )
        return states[:, before:].transpose(1, 2).unflatten(2, (rows, columns)), before

    def pooled(self, found: Any, patches: Tensor, before: int) -> Tensor:
        """One state a picture: the model's own, else its class token, else the mean of the patches: (B, D)."""
        own: Tensor | None = getattr(found, "pooler_output", None)
        if own is not None and self.has_pooler:
            return own.flatten(1)
        state: Tensor = found.last_hidden_state[:, 0] if before else patches.mean((2, 3))
        return state
