"""What the exported model does on held-out texts: counted text by text, in bounded memory."""

import heapq
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy

from classifier.serving.predict import Prediction
from classifier.serving.tokenizer import Tokenizer
from classifier.traffic import Traffic
from classifier.training import calibrate
from classifier.training.scores import Scores

MISTAKES = 30


class Measurement:
    """Scores, confusion, calibration, mistakes and traffic statistics of one pass."""

    def __init__(
        self,
        labels: Sequence[str],
        vocabulary: Sequence[str],
        tokenizer: Tokenizer,
        temperature: float,
    ) -> None:
        """`temperature` is what the model's logits are divided by."""
        self.scores = Scores()
        self.confusion: Counter[tuple[str, str]] = Counter()
        self.after, self.before = calibrate.Reliability(), calibrate.Reliability()
        self.traffic = Traffic(labels, vocabulary)
        self._tokenizer, self._temperature = tokenizer, temperature
        self._mistakes: list[tuple[float, int, dict[str, Any]]] = []
        self._ties = itertools.count()

    def add(self, text: str, wanted: str, prediction: Prediction) -> None:
        """Count one text, labelled `wanted`, and its answer."""
        right = prediction.label == wanted
        self.scores.add(wanted, prediction.label)
        self.confusion[wanted, prediction.label] += 1
        self.traffic.add(self._tokenizer.words(text), prediction.label, prediction.probability)
        self.after.add(prediction.probability, right)
        values = numpy.array(list(prediction.probabilities.values()))
        self.before.add(float(calibrate.uncalibrated(values, self._temperature).max()), right)
        if not right:
            self._keep(text, wanted, prediction)

    @property
    def mistakes(self) -> list[dict[str, Any]]:
        """The wrong answers given with the highest probability, that one first."""
        return [item for _, _, item in sorted(self._mistakes, reverse=True)]

    @property
    def calibration(self) -> dict[str, Any]:
        """What a bundle says of its calibration."""
        return {
            "temperature": self._temperature,
            "ece_before": self.before.error,
            "ece_after": self.after.error,
            "bins": calibrate.BINS,
            "texts": self.scores.texts,
        }

    def _keep(self, text: str, wanted: str, prediction: Prediction) -> None:
        item = {
            "text": text,
            "label": wanted,
            "given": prediction.label,
            "probability": prediction.probability,
            "label_probability": prediction.probabilities[wanted],
        }
        entry = (prediction.probability, -next(self._ties), item)
        if len(self._mistakes) < MISTAKES:
            heapq.heappush(self._mistakes, entry)
        else:
            heapq.heappushpop(self._mistakes, entry)
