"""The vocabulary: which words, pairs and pieces have ids, for the tokenizer of serving."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from classifier.bundle import SPECIAL_IDS, TokenizerSettings
from classifier.serving.tokenizer import (
    PIECE_MARK,
    TEXT_END,
    TEXT_START,
    Tokenizer,
    split_pieces,
)
from classifier.training.counting import TokenCounter, capacity_for
from classifier.training.errors import DataError
from classifier.training.settings import Settings

_LEAST_WORDS_OF_PIECE = 2  # a piece of one word says what the word says


@dataclass(frozen=True)
class Vocabulary:
    """All tokens in the order of their ids, with what the tokenizer must know of them."""

    tokens: tuple[str, ...]
    tokenizer: TokenizerSettings

    @property
    def id_count(self) -> int:
        """How many ids there are, padding and unknown included."""
        return self.tokenizer.max_tokens

    @property
    def words(self) -> tuple[str, ...]:
        """The single words."""
        return self.tokens[: self.tokenizer.words]

    @property
    def pieces(self) -> dict[str, int]:
        """The id of each piece, without its mark."""
        first = self.tokenizer.words + self.tokenizer.pairs
        return {
            token[len(PIECE_MARK) :]: place
            for place, token in enumerate(self.tokens[first:], SPECIAL_IDS + first)
        }

    def make_tokenizer(self) -> Tokenizer:
        """Return the tokenizer that training and serving share."""
        return Tokenizer(self.tokens, self.tokenizer)


def find_vocabulary(
    texts: Iterable[str], settings: Settings, most_tokens: int, *, kind: str = "bag"
) -> Vocabulary:
    """Return the most frequent tokens of `texts`, at most `most_tokens` ids in all.

    A "bag" has pieces of words, for the words that are unknown; a "sequence" has none.
    """
    is_bag = kind == "bag"
    most_pieces = min(settings.max_pieces, most_tokens // 4) if is_bag and settings.pieces else 0
    most = min(settings.max_tokens, most_tokens - SPECIAL_IDS - most_pieces)
    counter = TokenCounter(settings.ngrams, capacity_for(most), ends=is_bag)
    for text in texts:
        counter.add(text)
    words, pairs = counter.most_common(most, settings.min_count)
    if len(words) <= (2 if is_bag else 0):  # the ends of texts are no words of theirs
        raise DataError(
            f"no word occurs in {settings.min_count} of the texts for training; "
            "give more texts, or lower --min-count"
        )
    inner = (word for word in words if word not in (TEXT_START, TEXT_END))
    pieces = find_pieces(inner, settings.pieces, most_pieces)
    tokens = (*words, *pairs, *(PIECE_MARK + piece for piece in pieces))
    return Vocabulary(
        tokens,
        TokenizerSettings(
            kind=kind,
            ngrams=settings.ngrams,
            words=len(words),
            pairs=len(pairs),
            pieces=settings.pieces if pieces else 0,
            max_tokens=len(tokens) + SPECIAL_IDS,
            max_length=settings.max_length,
        ),
    )


def find_pieces(words: Iterable[str], longest: int, most: int) -> list[str]:
    """Return the pieces that most of `words` hold; those of a single word are left out."""
    if not most:
        return []
    counts = Counter(piece for word in words for piece in pieces_of(word, longest))
    shared = [(-n, piece) for piece, n in counts.items() if n >= _LEAST_WORDS_OF_PIECE]
    return [piece for _, piece in sorted(shared)[:most]]


def pieces_of(word: str, longest: int) -> Iterator[str]:
    """Yield the pieces of a word, each once; a mark of punctuation has none."""
    if len(word) > 1:
        yield from dict.fromkeys(split_pieces(word, longest))
