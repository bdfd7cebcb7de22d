"""Probabilities that mean what they say: one temperature, and how far off they are.

Dividing all logits by one number, found where the validation texts become likeliest, is temperature
scaling: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

import math
from dataclasses import dataclass, field

import numpy

BINS = 15
_HOTTEST = 20.0  # temperatures from 1 / 20 to 20 are considered
_STEPS = 60
_DEVIATION = 0.2
_ONE_OF_100 = 6.635  # chi-squared with one degree of freedom is greater in 1 of 100 cases


def find_temperature(logits: numpy.ndarray, labels: numpy.ndarray) -> float:
    """Return the temperature that minimises the loss of `logits` [n, k] on `labels` [n].

    Few texts tell little: six that are all answered rightly would ask for a temperature of 0,
    total certainty. So temperatures near 1 are taken to be likelier beforehand (the logarithm
    normal, deviation 0.2), which many texts outweigh. And where a model is nearly always right, a
    single mistake may ask for another temperature: the logits stay as they are unless chance alone
    would ask for as much in fewer than 1 of 100 cases (a likelihood-ratio test).
    """
    logits = logits.astype(numpy.float64)
    own = logits[numpy.arange(len(labels)), labels]
    # Halve until the slope of the loss, by the logarithm of 1 / temperature, is 0.
    low, high = -math.log(_HOTTEST), math.log(_HOTTEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        factor = math.exp(middle)
        slope = (_softmax(logits * factor) * logits).sum(axis=1) - own
        if factor * slope.mean() + middle / (_DEVIATION**2 * len(labels)) > 0:
            high = middle
        else:
            low = middle
    factor = math.exp((low + high) / 2)
    gain = _log_likelihood(logits * factor, labels) - _log_likelihood(logits, labels)
    if 2 * gain.sum() < _ONE_OF_100:
        return 1.0
    return round(1 / factor, 6)


def uncalibrated(probability: numpy.ndarray, temperature: float) -> numpy.ndarray:
    """Return the probabilities [k] that the network gave before `temperature` was applied."""
    tiny = numpy.finfo(numpy.float32).tiny
    return _softmax(numpy.log(numpy.maximum(probability, tiny)) * temperature)


@dataclass
class Reliability:
    """Counts, in equally wide bins of confidence, how often the likeliest label was right."""

    texts: list[int] = field(default_factory=lambda: [0] * BINS)
    right: list[int] = field(default_factory=lambda: [0] * BINS)
    confidence: list[float] = field(default_factory=lambda: [0.0] * BINS)

    def add(self, confidence: float, is_right: bool) -> None:
        """Count one answer."""
        place = min(int(confidence * BINS), BINS - 1)
        self.texts[place] += 1
        self.right[place] += is_right
        self.confidence[place] += confidence

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between confidence and accuracy."""
        gaps = zip(self.confidence, self.right, strict=True)
        return sum(abs(said - right) for said, right in gaps) / sum(self.texts)

    def points(self) -> list[dict[str, float]]:
        """Return mean confidence and accuracy of each bin that holds texts."""
        rows = zip(self.texts, self.confidence, self.right, strict=True)
        return [{"texts": n, "confidence": c / n, "accuracy": r / n} for n, c, r in rows if n]


def _log_likelihood(logits: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    own = shifted[numpy.arange(len(labels)), labels]
    return own - numpy.log(numpy.exp(shifted).sum(axis=1))


def _softmax(logits: numpy.ndarray) -> numpy.ndarray:
    shifted = numpy.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
