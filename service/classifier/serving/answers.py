"""What an answer says of one text: label or abstention, and probabilities, likeliest first."""

from operator import itemgetter
from typing import Any

from classifier.serving.predict import Prediction

PROBABILITY_DIGITS = 6

_likelihood = itemgetter(1)


def answer_of(prediction: Prediction, top: int | None, threshold: float) -> dict[str, Any]:
    """Return the answer: abstained below `threshold`, and at most `top` labels with theirs."""
    ranked = sorted(prediction.probabilities.items(), key=_likelihood, reverse=True)
    abstained = prediction.probability < threshold
    shown = {label: round(value, PROBABILITY_DIGITS) for label, value in ranked[:top]}
    return {
        "label": None if abstained else prediction.label,
        "abstained": abstained,
        "probability": shown[prediction.label],
        "probabilities": shown,
    }
