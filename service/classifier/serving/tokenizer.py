"""From a text to ids, equal id for id to the TextVectorization layer the bundle was trained with.

Works on UTF-8 bytes as TensorFlow does: only ASCII letters are lowered, only ASCII punctuation is
removed, and words end at six ASCII characters. `str` methods would treat Unicode differently.
"""

import string
from collections.abc import Iterator, Sequence
from itertools import repeat

UNKNOWN_ID = 1
FIRST_TOKEN_ID = 2  # 0 is padding

_LOWER = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_PUNCTUATION = string.punctuation.encode()


def split_words(text: bytes, most: int = -1) -> list[bytes]:
    """Return the words of a text in UTF-8, standardized; the first `most` of them, -1 for all."""
    # The limit leaves the rest of a long text unsplit, as the last item, which is then cut.
    words = text.translate(_LOWER, _PUNCTUATION).split(None, most)
    if most >= 0:
        del words[most:]
    return words


def join_runs(words: list[bytes], width: int) -> Iterator[bytes]:
    """Return the runs of `width` words, joined by spaces: n-grams in the order of the text."""
    return map(b" ".join, zip(*(words[start:] for start in range(width)), strict=False))


class Tokenizer:
    """Turns texts into ids; safe to share between threads."""

    def __init__(self, vocabulary: Sequence[str], ngrams: int, max_length: int) -> None:
        """`vocabulary[i]` has id i + 2; sequences beyond `max_length` ids are cut."""
        self._ids = {
            token.encode(): position for position, token in enumerate(vocabulary, FIRST_TOKEN_ID)
        }
        self._ngrams = ngrams
        self._max_length = max_length

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, unpadded, at most `max_length`, possibly none.

        UnicodeEncodeError when `text` holds a lone surrogate, which no UTF-8 text can.
        """
        tokens = self._split(text)
        if self._ngrams > 1:
            tokens = self._with_ngrams(tokens)
        return list(map(self._ids.get, tokens, repeat(UNKNOWN_ID)))

    def words(self, text: str) -> list[str]:
        """Return the words that `encode` looks up, before n-grams are made of them."""
        return [word.decode() for word in self._split(text)]

    def _split(self, text: str) -> list[bytes]:
        # Later words can only take part in n-grams that lie beyond max_length as well.
        return split_words(text.encode(), self._max_length)

    def _with_ngrams(self, words: list[bytes]) -> list[bytes]:
        """All single words, then all pairs, then all triples, and so on, up to `max_length`."""
        tokens = words
        for width in range(2, self._ngrams + 1):
            if len(tokens) >= self._max_length:
                break
            tokens = tokens + list(join_runs(words, width))
        return tokens[: self._max_length]
