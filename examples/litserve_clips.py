"""Serve clips with LitServe.

pip install litserve gad-lightning; python litserve_clips.py best.ckpt
printf '{"clip": "%s"}' "$(base64 -w0 party.mp4)" > party.json
curl -H "Content-Type: application/json" -d @party.json http://127.0.0.1:8000/predict
"""

import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import litserve
from fastapi import HTTPException

from gad_lightning import Classifier, GadError


class Clips(litserve.LitAPI):
    """Labels whole clips; live streams need ``gad-lightning serve``."""

    def setup(self, device: str) -> None:
        """Load the classifier once a worker."""
        self.classifier = Classifier.from_pretrained(sys.argv[1]).to(device).eval()

    def decode_request(self, request: dict[str, str]) -> bytes:
        """The clip's bytes; as text, since LitServe hands no upload above 1 MB to its workers."""
        try:
            return b64decode(request["clip"], validate=True)
        except (KeyError, ValueError) as error:
            raise HTTPException(422, "Send a video file in base64, as clip.") from error

    def predict(self, clip: bytes) -> list[dict[str, Any]]:
        """Segments of a clip."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip"
            path.write_bytes(clip)
            try:
                return [segment._asdict() for segment in self.classifier.detect(path).segments]
            except GadError as error:
                raise HTTPException(422, "The clip is no video that can be read.") from error


if __name__ == "__main__":
    litserve.LitServer(Clips(), accelerator="auto").run(host="127.0.0.1", port=8000)
