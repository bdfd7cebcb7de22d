"""How much each word of a text moves the score of a label.

additive    for the default model, whose score is a sum: its parts
            score   the label's logit: the softmax over all labels' scores is the probability
            weight  of a word: what it adds to the score, with its share of the pairs it is in
            bias    what the label's score would be without words
occlusion   for any other model: by taking words away
            score   the label's log-odds, ln(p / (1 - p))
            weight  of a word: the score of the text, less its score without that word
            bias    score less the sum of all weights: what no single word accounts for
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from classifier.bundle import Bundle
from classifier.serving import tokenizer
from classifier.serving.answers import PROBABILITY_DIGITS
from classifier.serving.errors import ApiError
from classifier.serving.predict import Predictor

_TEXTS_AT_ONCE = 16  # between two looks at the clock
_LEAST_ODDS = 1e-7  # a probability of 0 or 1 has no log-odds


class Word(NamedTuple):
    """A word as it stands in a text: its characters from `start` up to `end`."""

    word: str
    start: int
    end: int


def find_words(text: str) -> Iterator[Word]:
    """Yield the words of `text` that the tokenizer sees."""
    return map(Word._make, tokenizer.find_words(text))


def explain(
    predictor: Predictor, bundle: Bundle, text: str, label: str | None, seconds: float
) -> dict[str, Any]:
    """Return score, bias and the weight of each word for `label`; None is the likeliest label.

    ApiError 503 when it takes longer than `seconds`.
    """
    words = list(find_words(text))
    (whole,) = predictor.predict([text])
    label = whole.label if label is None else label
    parts = predictor.contributions(text)
    if parts is not None:
        column = bundle.labels.index(label)
        weights = parts.words[:, column].tolist()
        score, bias, method = float(parts.scores[column]), float(parts.bias[column]), "additive"
    else:
        score, method = _log_odds(whole.probabilities[label]), "occlusion"
        # The tokenizer cuts what is beyond max_length: taking it away changes nothing.
        seen = words[: bundle.tokenizer.max_length]
        weights = [
            score - other for other in _scores_without(predictor, text, seen, label, seconds)
        ]
        weights += [0.0] * (len(words) - len(seen))
        bias = score - math.fsum(weights)
    return {
        "label": label,
        "probability": round(whole.probabilities[label], PROBABILITY_DIGITS),
        "score": score,
        "bias": bias,
        "words": [
            {**word._asdict(), "weight": weight}
            for word, weight in zip(words, weights, strict=True)
        ],
        "method": method,
    }


def _scores_without(
    predictor: Predictor, text: str, words: Sequence[Word], label: str, seconds: float
) -> Iterator[float]:
    deadline = time.monotonic() + seconds
    for begin in range(0, len(words), _TEXTS_AT_ONCE):
        if time.monotonic() > deadline:
            message = f"explaining takes more than {seconds:g} seconds; send a shorter text"
            raise ApiError(503, "too_slow", message)
        part = words[begin : begin + _TEXTS_AT_ONCE]
        texts = [text[: word.start] + text[word.end :] for word in part]
        for prediction in predictor.predict(texts):
            yield _log_odds(prediction.probabilities[label])


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _LEAST_ODDS), 1 - _LEAST_ODDS)
    return math.log(bounded / (1 - bounded))
