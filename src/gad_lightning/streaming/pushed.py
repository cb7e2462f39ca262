"""What is pushed into live streams, as the features that a classifier takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.encoders import Encoder

Frames = Tensor | np.ndarray | Sequence[object]
"""What may be pushed: a tensor, an array, or a list of numbers or of lists."""


def pushed_features(
    frames: Frames, streams: Tensor, spec: FeatureSpec, encoder: Encoder | None, dtype: torch.dtype
) -> Tensor:
    """Features of what was pushed: (n, N, D), with the precision of feature files where there were pictures.

    Args:
        frames: as :meth:`~gad_lightning.OnlineDetector.push` takes them.
        streams: (n,) they are of.
        spec: of the classifier's features.
        encoder: for pictures; None where there is none.
        dtype: of the features.

    Raises:
        SettingError: if they are no numbers or have another shape, or there are pictures and no encoder.
        DataError: if a feature is NaN or infinite.
    """
    frames = _tensor_of(frames)
    shape = (len(streams), spec.tokens_per_frame, spec.width)
    if frames.dtype == torch.uint8:
        frames = _encoded(frames, len(streams), spec, encoder)
    if frames.numel() != shape[0] * shape[1] * shape[2] or frames.shape[-1] != spec.width:
        raise SettingError(f"push wants frames of shape {shape}, got {tuple(frames.shape)}.", "one frame per stream")
    ready = frames.reshape(shape).to(dtype)  # feature files are float16
    bad = streams[~ready.isfinite().flatten(1).all(1).cpu()].tolist()
    if bad:
        raise DataError(
            f"The features of stream {', '.join(map(str, bad))} hold NaN or infinite values; no frame was taken.",
            "leave that frame out or encode it again; the streams go on where they were",
        )
    return ready


def _encoded(pictures: Tensor, count: int, spec: FeatureSpec, encoder: Encoder | None) -> Tensor:
    """Features of ``count`` uint8 pictures, as feature files would hold them.

    Raises:
        SettingError: if they have another shape, or there is no encoder.
    """
    if pictures.dim() != 4 or len(pictures) != count or pictures.shape[-1] != 3:
        raise SettingError(
            f"push wants uint8 pictures of shape ({count}, h, w, 3), got {tuple(pictures.shape)}.",
            "push one RGB picture per stream, or features as floating-point numbers",
        )
    if encoder is None:
        raise SettingError(
            f"push got uint8 pictures of shape {tuple(pictures.shape)}, and the detector has no encoder.",
            f"make it with encoder=..., the one called {spec.encoder!r}",
        )
    return encoder.encode(pictures.cpu()).half().float()  # feature files have this precision


def _tensor_of(frames: object) -> Tensor:
    """What was pushed as a tensor: pictures as uint8, other arrays and lists as float32."""
    if isinstance(frames, Tensor):
        return frames
    reason = ""
    if isinstance(frames, np.ndarray | list | tuple):
        pictures = isinstance(frames, np.ndarray) and frames.dtype == np.uint8
        try:
            return torch.tensor(np.asarray(frames, dtype=np.uint8 if pictures else np.float32))
        except (TypeError, ValueError) as error:
            reason = f" that is not one of numbers: {error}"
    raise SettingError(
        f"push wants frames as a tensor, a NumPy array or a list, got a {type(frames).__name__}{reason}.",
        "push one row of features per stream, or uint8 RGB pictures",
    )
