"""What a stream of texts and answers looks like as a whole, to compare one stream with another.

Training sums up the held-out texts and puts the summary into the bundle; whoever watches a host
sums up what comes in there in the same way. Counts only: no text is kept. Standard library only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CONFIDENCE_BINS = 20  # equally wide, from 0 to 1
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
_FINE = 1000  # steps of a confidence or a share while counting


class Traffic:
    """Counts label mix, confidence, text length in words and the share of unknown words."""

    def __init__(self, labels: Sequence[str], vocabulary: Iterable[str]) -> None:
        """`labels` in model order; of `vocabulary` the single words count as known."""
        self._labels = tuple(labels)
        self._known = frozenset(token for token in vocabulary if " " not in token)
        self._given: Counter[str] = Counter()
        self._confidence: Counter[int] = Counter()
        self._lengths: Counter[int] = Counter()
        self._unknown_shares: Counter[int] = Counter()
        self._unknown = 0

    def add(self, words: Sequence[str], label: str, probability: float) -> None:
        """Count one text, as the tokenizer's words, and its answer."""
        unknown = sum(word not in self._known for word in words)
        self._given[label] += 1
        self._confidence[round(probability * _FINE)] += 1
        self._lengths[len(words)] += 1
        self._unknown += unknown
        if words:
            self._unknown_shares[round(unknown / len(words) * _FINE)] += 1

    def summary(self) -> dict[str, Any]:
        """Return shares, counts and quantiles as plain data; `add` must have been called."""
        texts = self._given.total()
        word_count = sum(length * count for length, count in self._lengths.items())
        histogram = [0] * CONFIDENCE_BINS
        for step, count in self._confidence.items():
            histogram[min(step * CONFIDENCE_BINS // _FINE, CONFIDENCE_BINS - 1)] += count
        return {
            "texts": texts,
            "label_mix": {label: self._given[label] / texts for label in self._labels},
            "confidence": {
                "histogram": histogram,
                "quantiles": _quantiles(self._confidence, _FINE),
            },
            "words": {"quantiles": _quantiles(self._lengths)},
            "unknown_words": {
                "share": self._unknown / word_count if word_count else 0.0,
                "quantiles": _quantiles(self._unknown_shares, _FINE),
            },
        }


def _quantiles(counts: Mapping[int, int], scale: int = 1) -> dict[str, float]:
    """The values that the given shares of all counted ones do not exceed; 0 when none is."""
    total, found, seen = sum(counts.values()), {}, 0
    ordered = sorted(counts.items())
    place = -1
    for name, share in QUANTILES.items():
        while place + 1 < len(ordered) and (place < 0 or seen < share * total):
            place += 1
            seen += ordered[place][1]
        found[name] = ordered[place][0] / scale if ordered else 0.0
    return found
