"""One number a task that makes probabilities say how often they are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import optimize

from gad_lightning.decisions.observed import Floats, Observed
from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.functional.calibration import calibration_details
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.parts import Part

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures that are tried."""
BINS = 15


class Reliability(NamedTuple):
    """How far probabilities are from what happens."""

    log_loss: float  # mean negative log-likelihood of the truth, in nats; of several labels a frame, a class's mean
    error: float  # expected calibration error with 15 bins, in [0, 1]


class Temperature(Part):
    """Divides the logits of a task by one number.

    Probabilities are softmax(logits / T) of one label a frame, sigmoid(logits / T) of several.

    Args:
        value: T, above 0; 1 changes nothing, more makes probabilities less sure.

    Raises:
        SettingError: if it is not above 0.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.

    Example:
        >>> Temperature(2.0)(np.log([[0.9, 0.1]]), several=False).round(2).tolist()
        [[0.75, 0.25]]
    """

    def __init__(self, value: float = 1.0) -> None:
        if not 0 < value < np.inf:
            raise SettingError(f"A temperature is above 0, got {value}.", "use 1, which changes nothing")
        self.value = value

    def __call__(self, scores: Floats, several: bool) -> Floats:
        """Probabilities of log-probabilities (F, C): (F, C) in [0, 1].

        Args:
            scores: (F, C) at most 0; -inf is a probability of 0.
            several: whether each class is asked by itself.
        """
        found: Floats
        if self.value == 1:  # in the precision of the classifier, so that thresholds are met as without a temperature
            found = np.exp(scores.astype(np.float32)).astype(np.float64)
            return found
        if several:
            found = 1 / (1 + np.exp(-_logits(scores) / self.value))
            return found
        scaled = scores / self.value
        raised = np.exp(scaled - scaled.max(1, keepdims=True))
        shared: Floats = raised / raised.sum(1, keepdims=True)
        return shared

    @classmethod
    def fit(cls, observed: Observed) -> Temperature:
        """Find the temperature under which the truth is most likely.

        Frames whose true class has a probability of 0 count for none: no temperature changes that.

        Args:
            observed: with log-probabilities.

        Raises:
            DataError: if no frame is left.
        """
        kept = _possible(observed)
        if not kept.any():
            raise DataError(
                "Every frame's true class has a probability of 0: no temperature can be found.",
                "use a readout that scores all classes, such as TrieReadout or LikelihoodReadout",
            )
        part = observed._replace(scores=observed.scores[kept], truth=observed.truth[kept])

        def loss(log_value: float) -> float:
            """Mean loss at the exponential of a value."""
            return _log_loss(cls(float(np.exp(log_value)))(part.scores, part.labels.multi_label), part)

        bounds = (np.log(COLDEST), np.log(HOTTEST))
        best = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
        return cls(round(float(np.exp(best.x)), 4))


def reliability(observed: Observed, temperature: Temperature) -> Reliability:
    """How far the probabilities under a temperature are from what happens, over the frames of known truth.

    Args:
        observed: with log-probabilities.
        temperature: 1 for the classifier as it is.
    """
    several = observed.labels.multi_label
    kept = _possible(observed)
    probabilities = temperature(observed.scores[kept], several)
    truth = observed.truth[kept]
    part = observed._replace(scores=observed.scores[kept], truth=truth)
    if several:
        confidence, right = probabilities.ravel(), truth.ravel() == 1
    else:
        confidence = probabilities.max(1)
        right = probabilities.argmax(1) == truth.argmax(1)
    given = torch.from_numpy(np.clip(confidence, 0, 1)), torch.from_numpy(right).long()
    details = calibration_details(given[0], torch.ones_like(given[1]), given[1], LabelSpace(2, None), BINS)
    return Reliability(_log_loss(probabilities, part), float(details["error"]))


def _logits(scores: Floats) -> Floats:
    """Logits of log-probabilities of classes that are asked one by one; as large as a double can tell at most."""
    probabilities = np.clip(np.exp(scores), 1e-300, 1 - 1e-16)
    logits: Floats = np.log(probabilities) - np.log1p(-probabilities)
    return logits


def _possible(observed: Observed) -> np.ndarray:
    """(F,) bool: frames of known truth whose true class has a probability above 0."""
    if observed.labels.multi_label:
        return observed.known
    true = np.where(observed.truth == 1, observed.scores, -np.inf).max(1)
    found: np.ndarray = observed.known & (true > -np.inf)
    return found


def _log_loss(probabilities: Floats, observed: Observed) -> float:
    """Mean negative log-likelihood of the truth."""
    tiny = 1e-300
    if observed.labels.multi_label:
        likely = np.where(observed.truth == 1, probabilities, 1 - probabilities)
    else:
        likely = np.where(observed.truth == 1, probabilities, 0).max(1)
    return float(-np.log(np.maximum(likely, tiny)).mean())
