"""Serve clips with LitServe.

pip install litserve gad-lightning; python litserve_clips.py best.ckpt
curl -F content=@party.mp4 http://127.0.0.1:8000/predict
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import litserve
from fastapi import UploadFile

from gad_lightning import Classifier


class Clips(litserve.LitAPI):
    """Labels whole clips; live streams need ``gad-lightning serve``."""

    def setup(self, device: str) -> None:
        """Load the classifier once a worker."""
        self.classifier = Classifier.from_pretrained(sys.argv[1]).to(device).eval()

    def decode_request(self, request: dict[str, UploadFile]) -> bytes:
        """The clip's bytes."""
        return request["content"].file.read()

    def predict(self, clip: bytes) -> list[dict[str, Any]]:
        """Segments of a clip."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip"
            path.write_bytes(clip)
            return [segment._asdict() for segment in self.classifier.detect(path).segments]


if __name__ == "__main__":
    litserve.LitServer(Clips(), accelerator="auto").run(host="127.0.0.1", port=8000)
