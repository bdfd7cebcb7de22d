"""How far texts and answers have moved from those of the training: population stability indices.

An index is 0 for the same shares; by custom 0.1 is a slight and 0.25 a marked change. Pure
functions on counts; `traffic` says what the statistics of a bundle hold.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from classifier.traffic import QUANTILES

_LEAST_SHARE = 1e-4  # a share of 0 would make the index infinite


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """Return the index of two lists of counts or shares, bin by bin."""
    pairs = zip(_shares(expected), _shares(found), strict=True)
    return math.fsum((new - old) * math.log(new / old) for old, new in pairs)


def scores(statistics: Mapping[str, Any], found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the index of each kind of counts in `found` that counted anything.

    label_mix: texts per label, in the order of the statistics; confidence: texts per bin; words:
    texts per bin of `length_bins`; unknown_words: known words and unknown ones.
    """
    unknown = statistics["unknown_words"]["share"]
    expected = {
        "label_mix": list(statistics["label_mix"].values()),
        "confidence": statistics["confidence"]["histogram"],
        "words": list(length_bins(statistics).values()),
        "unknown_words": [1 - unknown, unknown],
    }
    return {
        kind: stability_index(expected[kind], counts)
        for kind, counts in found.items()
        if sum(counts) > 0
    }


def length_bins(statistics: Mapping[str, Any]) -> dict[float, float]:
    """Return the upper end of each bin of text lengths, and the share of texts it should hold."""
    reached: dict[float, float] = {}
    for name, share in QUANTILES.items():
        reached[statistics["words"]["quantiles"][name]] = share  # of equal ones the last counts
    reached[math.inf] = 1.0
    before = [0.0, *reached.values()]
    return {end: share - less for (end, share), less in zip(reached.items(), before, strict=False)}


def bin_counts(cumulated: Sequence[float]) -> list[float]:
    """Return what each bin holds, from how much all bins up to it hold together."""
    return [after - before for before, after in itertools.pairwise([0.0, *cumulated])]


def _shares(counts: Sequence[float]) -> list[float]:
    bounded = [max(count / sum(counts), _LEAST_SHARE) for count in counts]
    return [share / sum(bounded) for share in bounded]
