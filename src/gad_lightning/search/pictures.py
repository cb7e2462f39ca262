"""One small picture of a moment, as text for a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.video.base import Resize
from gad_lightning.video.decode import VideoFile

SIDE = 160
"""Pixels of the shorter side."""


def picture_at(video: Path, seconds: float) -> str | None:
    """The picture that is shown at a time, as the address of a JPEG that is its own content; None if there is none."""
    from PIL import Image

    shown = None
    try:
        for frame in VideoFile(video, resize=Resize(SIDE, "shorter")):
            if shown is not None and frame.seconds > seconds:
                break
            shown = frame.picture
    except (DataError, MissingDataError):
        return None
    if shown is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
