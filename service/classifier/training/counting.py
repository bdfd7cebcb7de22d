"""Count in how many texts words and pairs occur, for any number of texts in bounded memory.

TextVectorization.adapt keeps every token it has ever seen, and most pairs of words occur once. Here
the table is thinned out whenever it is full: the tokens with the lowest counts go. That is lossy
counting: G. S. Manku and R. Motwani, "Approximate frequency counts over data streams", VLDB 2002,
with the size of the table given instead of the error.
"""

import itertools
from collections import Counter

import numpy

from classifier.serving.tokenizer import TEXT_END, TEXT_START, split_words

LEAST_CAPACITY = 1_000_000  # about 150 MB
_CAPACITY_FACTOR = 4


def capacity_for(most_tokens: int) -> int:
    """Return how many tokens to hold in order to find the `most_tokens` most frequent ones."""
    return max(LEAST_CAPACITY, _CAPACITY_FACTOR * most_tokens)


class TokenCounter:
    """Counts the texts of words and pairs; exact until `capacity` different ones were seen.

    From then on a count may be too low, by at most `error`.
    """

    def __init__(self, ngrams: int, capacity: int, *, ends: bool = False) -> None:
        """Pairs are counted when `ngrams` is 2; `ends`: the ends of a text are words as well."""
        self._counts: Counter[str] = Counter()
        self._pairs = ngrams > 1
        self._capacity = capacity
        self._ends = ends
        self.error = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, text: str) -> None:
        """Count the tokens of a text, each once."""
        words = split_words(text)
        if self._ends:
            words = [TEXT_START, *words, TEXT_END]
        self._counts.update(set(words))
        if self._pairs:
            self._counts.update(set(map(" ".join, itertools.pairwise(words))))
        if len(self._counts) > self._capacity:
            self._prune()

    def most_common(self, most: int, least_count: int) -> tuple[list[str], list[str]]:
        """Return up to `most` words and pairs in all, of `least_count` texts or more.

        Each list by count downwards, and by the token where counts are equal; where only some of
        equally frequent ones fit, words come first. So the words of a pair are always there, too.
        """
        frequent = [
            (-count, " " in token, token)
            for token, count in self._counts.items()
            if count >= least_count
        ]
        frequent.sort()
        found = [token for _, _, token in frequent[:most]]
        words = [token for token in found if " " not in token]
        known = set(words)
        # Thinning out may have taken a word that came again in a pair only.
        pairs = [token for token in found if " " in token and known.issuperset(token.split(" "))]
        return words, pairs

    def _prune(self) -> None:
        """Leave half of the capacity free, by the lowest limit that does so."""
        counts = numpy.fromiter(self._counts.values(), numpy.int64, len(self._counts))
        at = len(counts) - self._capacity // 2 - 1
        limit = int(numpy.partition(counts, at)[at])
        self._counts = Counter({k: v for k, v in self._counts.items() if v > limit})
        self.error += limit
