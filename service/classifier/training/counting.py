"""Count tokens of any number of texts in bounded memory.

TextVectorization.adapt keeps every token it has ever seen, and most pairs of words occur once. Here
the table is thinned out whenever it is full: the tokens with the lowest counts go. That is lossy
counting: G. S. Manku and R. Motwani, "Approximate frequency counts over data streams", VLDB 2002,
with the size of the table given instead of the error.
"""

from collections import Counter

import numpy

from classifier.serving.tokenizer import join_runs, split_words

LEAST_CAPACITY = 1_000_000  # about 150 MB
_CAPACITY_FACTOR = 8


def capacity_for(most_tokens: int) -> int:
    """Return how many tokens to hold in order to find the `most_tokens` most frequent ones."""
    return max(LEAST_CAPACITY, _CAPACITY_FACTOR * most_tokens)


class TokenCounter:
    """Counts words and runs of words; exact until `capacity` different ones were seen.

    From then on a count may be too low, by at most `error`.
    """

    def __init__(self, ngrams: int, capacity: int) -> None:
        self._counts: Counter[bytes] = Counter()
        self._ngrams = ngrams
        self._capacity = capacity
        self.error = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, text: bytes) -> None:
        """Count the tokens of a text in UTF-8, all of them."""
        words = split_words(text)
        self._counts.update(words)
        for width in range(2, self._ngrams + 1):
            self._counts.update(join_runs(words, width))
        if len(self._counts) > self._capacity:
            self._prune()

    def most_common(self, most: int, min_count: int) -> list[str]:
        """Return up to `most` tokens seen `min_count` times or more, in the order of adapt.

        That is by count, and by the token where counts are equal, both downwards.
        """
        frequent = [(count, token) for token, count in self._counts.items() if count >= min_count]
        frequent.sort(reverse=True)
        return [token.decode() for _, token in frequent[:most]]

    def _prune(self) -> None:
        """Leave half of the capacity free, by the lowest limit that does so."""
        counts = numpy.fromiter(self._counts.values(), numpy.int64, len(self._counts))
        at = len(counts) - self._capacity // 2 - 1
        limit = int(numpy.partition(counts, at)[at])
        self._counts = Counter({k: v for k, v in self._counts.items() if v > limit})
        self.error += limit
