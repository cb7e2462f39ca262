"""Label a stream with an exported step: ONNX Runtime and numpy, nothing else.

    gad-lightning export best.ckpt step.onnx --step=true
    python step_onnx.py step.onnx features.npy

features.npy holds the features of a video's frames, (T, N, D) or (T, D), at the rate that the file's description names.
"""

import json
import sys

import numpy as np
import onnxruntime


class Streams:
    """Some live streams.

    Args:
        path: of the exported step.
        count: streams, all of which are pushed together.
    """

    def __init__(self, path: str, count: int = 1) -> None:
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.about = json.loads(self.session.get_modelmeta().custom_metadata_map["gad_lightning.json"])
        self.count = count
        self.restart()

    def restart(self) -> None:
        """Begin: zeros, and frame number 0. One stream alone begins anew by zeros in its rows and its number."""
        self.number = np.zeros(self.count, dtype=np.int64)
        self.kept = {one["name"]: np.zeros((self.count, *one["shape"]), one["dtype"]) for one in self.about["keeps"]}

    def push(self, frames: np.ndarray) -> np.ndarray:
        """Log-probabilities (S, C) of the next frame of each stream: (S, N, D), as the features are."""
        given = {"frames": frames.astype(np.float32), "frame": self.number, **self.kept}
        scores, *kept = self.session.run(None, given)
        self.kept = dict(zip(self.kept, kept, strict=True))
        self.number = self.number + 1
        return scores

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of log-probabilities, (S, C) each."""
        if self.about["several_labels"]:
            odds = scores - np.log1p(-np.minimum(np.exp(scores), 1 - 1e-7))
            return 1 / (1 + np.exp(-odds / self.about["temperature"]))
        powers = np.exp((scores - scores.max(1, keepdims=True)) / self.about["temperature"])
        return powers / powers.sum(1, keepdims=True)


if __name__ == "__main__":
    streams, features = Streams(sys.argv[1]), np.load(sys.argv[2])
    for time, frame in enumerate(features.reshape(len(features), -1, features.shape[-1])):
        shares = streams.probabilities(streams.push(frame[None]))[0]
        best = int(shares.argmax())
        second, name = time / streams.about["features"]["fps"], streams.about["classes"][best]
        sys.stdout.write(f"{second:.2f}\t{name}\t{shares[best]:.3f}\n")
