"""The vision tower of a multimodal checkpoint as an encoder: its features fit the checkpoint's own connector."""

from __future__ import annotations

import numpy as np
import torch

from gad_lightning.backbones.families import Family, family_of
from gad_lightning.errors import DataError, SettingError
from gad_lightning.video.base import Picture
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder


class VisionTower(HuggingFaceEncoder):
    """Makes the features that :class:`~gad_lightning.MultimodalLM` reads.

    A feature is what the model's projector is given: the states of the layer (or layers) it reads, the class token left
    out. ``tokens`` says how a frame's patches are pooled, always before the projector: ``"pooled"`` is their mean,
    ``"grid3x3"`` averages them in a 3 x 3 grid; a grid as fine as the patches keeps them all (24x24 for LLaVA 1.5).
    Frames are read whole: no tiles. The whole checkpoint is read, and all but the tower let go.

    Args: as :class:`~gad_lightning.HuggingFaceEncoder`.
    """

    @property
    def family(self) -> Family:
        """What kind of model the tower is of.

        Raises:
            SettingError: if it is none that is known, or allows one token a frame only and more are asked for.
        """
        found = family_of(self.config)
        if found.one_token and self.tokens != "pooled":
            raise SettingError(
                f"tokens is {self.tokens!r}; a {self.config.model_type} gives a frame's tokens three-dimensional "
                "positions, which are plain ones only for one token a frame.",
                "set tokens to pooled",
            )
        return found

    def load(self) -> None:
        """Read the weights, once.

        Raises:
            SettingError: if there are none, or the model is of no known family.
            DataError: if some of the tower's are missing in the files: they would be random.
        """
        if "model" in self._modules:
            return
        family = self.family
        whole, info = self._from_hub("AutoModelForImageTextToText", dtype="auto", output_loading_info=True)
        missing = sorted(key for key in info["missing_keys"] if "visual" in key or "vision" in key)
        if missing:
            raise DataError(
                f"{self.name_or_folder} lacks {len(missing)} weights of its vision tower, first {missing[0]!r}.",
                "get the whole checkpoint: missing weights would be random",
            )
        self.model = family.tower(whole).to(getattr(torch, self.dtype))
        self.has_pooler = False
        self.requires_grad_(False).eval()

    def prepare(self, picture: Picture) -> Picture:
        """Resize and crop the whole picture as the processor says."""
        channels_first = np.ascontiguousarray(picture.transpose(2, 0, 1))
        if self.family.one_token:
            processor = self.processor
            factor = processor.patch_size * processor.merge_size
            pixels = processor.resize(channels_first, size=processor.size, resample=processor.resample, factor=factor)
        else:
            how = {"do_rescale": False, "do_normalize": False, "return_tensors": "np"}
            pixels = self.processor(picture, input_data_format="channels_last", **how)["pixel_values"][0]
            pixels = pixels[0] if pixels.ndim == 4 else pixels  # OneVision's whole picture comes before its tiles
        return np.ascontiguousarray(np.asarray(pixels).transpose(1, 2, 0), dtype=np.uint8)
