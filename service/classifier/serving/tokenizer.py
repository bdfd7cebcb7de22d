"""From a text to ids: the one tokenizer, in training as in serving.

words    runs of letters and digits, lowered; every mark of punctuation and every CJK character is a
         word of its own. Works on Unicode characters, so that every script has words.
pairs    two words that stand side by side; the ends of the text count as words here
pieces   runs of characters of a word: what speaks for a word that is not in the vocabulary

Pieces of words, and a hash-free sum of them, are those of P. Bojanowski et al., "Enriching Word
Vectors with Subword Information", TACL 2017.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy

from classifier.bundle import SPECIAL_IDS, TokenizerSettings
from classifier.serving.key_table import KeyTable

UNKNOWN_ID = 1
FIRST_TOKEN_ID = SPECIAL_IDS  # 0 is padding
TEXT_START, TEXT_END = "<s>", "</s>"  # two words that no text can hold
PIECE_MARK = " "  # begins a piece in the vocabulary; no word holds one
SHORTEST_PIECE = 3
MOST_OF_AN_ID = 2  # in a bag: what a text says again it means, what it says ten times no more so

# ASCII but letters and digits; Latin-1's signs; general punctuation to symbols; CJK's own; pictures
_MARKS = (
    "\x00-/:-@\\[-`{-\u00bf\u00d7\u00f7\u2000-\u2bff\u3000-\u303f\uff00-\uff0f\U0001f000-\U0001faff"
)
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^\s{_MARKS}{_CJK}]+|[^\s]")
_ALONE = re.compile(rf"[{_MARKS}{_CJK}]")
_ASCII = bytes(range(128))
_ASCII_MARKS = [mark for mark in map(chr, range(128)) if not (mark.isalnum() or mark.isspace())]
_APART = [(mark, f" {mark} ") for mark in _ASCII_MARKS]
_MOST_OTHERS = 16  # kinds of characters beyond ASCII; with more, as in Chinese, one pass is quicker
_DOTTED_I = "\u0130"  # the one character that grows when it is lowered
_PAIR_SHIFT = 32
_TEXT_SHIFT = 32
_ID_MASK = (1 << _TEXT_SHIFT) - 1
_ID_BYTES = 4
_FEW_TEXTS = 4  # below, each by itself is as quick
_LONGEST_WORD = 40
_REMEMBERED_WORDS = 8192  # unknown ones, with their pieces


def _lowered(text: str) -> str:
    """`text` in lower case, as long as before: places in one are places in the other."""
    if _DOTTED_I in text:
        text = text.replace(_DOTTED_I, "i")
    return text.lower()


def split_words(text: str) -> list[str]:
    """Return the words of a text, lowered."""
    text = _lowered(text)
    others = "" if text.isascii() else _others(text)
    if len(others) > _MOST_OTHERS:
        return _WORD.findall(text)
    # The same, sooner: a text has few kinds of marks.
    for mark in others:
        if _ALONE.match(mark) and not mark.isspace():
            text = text.replace(mark, f" {mark} ")
    for mark, apart in _APART:
        if mark in text:
            text = text.replace(mark, apart)
    return text.split()


def _others(text: str) -> set[str]:
    """The characters of `text` beyond ASCII, each once."""
    data = text.encode("utf-8", "surrogatepass").translate(None, _ASCII)
    return set(data.decode("utf-8", "surrogatepass"))


def find_words(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the words of a text as it is written, each with where it begins and ends."""
    for found in _WORD.finditer(_lowered(text)):  # some signs are letters only once lowered
        yield text[found.start() : found.end()], found.start(), found.end()


def split_pieces(word: str, longest: int) -> Iterator[str]:
    """Yield the pieces of a word of 3 to `longest` characters, its ends marked by < and >.

    Of a word of more than 40 characters, mostly no word, only the first 40 have pieces.
    """
    marked = f"<{word[:_LONGEST_WORD]}>"
    for length in range(SHORTEST_PIECE, longest + 1):
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]


def _pair_keys(ids: numpy.ndarray) -> numpy.ndarray:
    """A number for each two ids, at least one of them, that stand side by side in int32 `ids`."""
    # Eight bytes from each place on are both ids: the left one low, the right one high.
    return numpy.ndarray(len(ids) - 1, "<i8", ids, strides=ids.strides).copy()


def _sorted_few(values: numpy.ndarray) -> numpy.ndarray:
    """The values in rising order, each at most MOST_OF_AN_ID times; `values` is sorted as well."""
    values.sort()
    is_kept = numpy.ones(len(values), bool)
    numpy.not_equal(values[MOST_OF_AN_ID:], values[:-MOST_OF_AN_ID], out=is_kept[MOST_OF_AN_ID:])
    return values[is_kept]


class _WordIds(dict[str, int]):
    """The id of each word; one lookup in C, which `get` with a default is not quite."""

    def __missing__(self, word: str) -> int:
        return UNKNOWN_ID


class _PieceIds(dict[str, bytes]):
    """The ids of an unknown word's pieces, each once, as the bytes of an int32 array.

    Those of the words that were met last are remembered.
    """

    def __init__(self, pieces: Sequence[str], first: int, longest: int) -> None:
        self._ids = {piece[len(PIECE_MARK) :]: place for place, piece in enumerate(pieces, first)}
        self._longest = longest

    def __missing__(self, word: str) -> bytes:
        if len(self) >= _REMEMBERED_WORDS:
            self.clear()
        pieces = split_pieces(word, self._longest)
        known = dict.fromkeys(self._ids[piece] for piece in pieces if piece in self._ids)
        found = self[word] = numpy.array(list(known), numpy.int32).tobytes()
        return found


class Tokenizer:
    """Turns texts into ids; safe to share between threads."""

    def __init__(self, vocabulary: Sequence[str], settings: TokenizerSettings) -> None:
        """`vocabulary[i]` has id i + 2: first words, then pairs, then pieces."""
        self.is_bag = settings.kind == "bag"
        self.words_end = FIRST_TOKEN_ID + settings.words
        first_piece = self.words_end + settings.pairs
        words = vocabulary[: settings.words]
        self._ids = _WordIds(zip(words, range(FIRST_TOKEN_ID, self.words_end), strict=True))
        self._id_of = self._ids.__getitem__
        pairs = vocabulary[settings.words : settings.words + settings.pairs]
        # Numbers instead of a dict of strings: a tenth of the memory, and found all at once.
        keys = numpy.array([self._pair_key(pair) for pair in pairs], numpy.int64)
        self._pairs = KeyTable(keys, self.words_end)
        pieces = vocabulary[settings.words + settings.pairs :]
        self._pieces = _PieceIds(pieces, first_piece, settings.pieces)
        self._pairs_wanted, self._pieces_wanted = settings.ngrams > 1, bool(pieces)
        self._max_length = settings.max_length

    def encode(self, text: str) -> numpy.ndarray:
        """Return the ids of `text`, int32, unpadded, at most `max_length`, possibly none.

        A bag holds ids in rising order, each at most MOST_OF_AN_ID times; a sequence all words in
        the order of the text, then the pairs.
        """
        words = split_words(text)
        if self.is_bag:
            words.insert(0, TEXT_START)
            words.append(TEXT_END)
        ids = numpy.fromiter(map(self._id_of, words), numpy.int32, len(words))
        parts = [ids]
        if self._pairs_wanted and len(ids) > 1:
            parts.append(self._pairs.find(_pair_keys(ids))[1])
        if self._pieces_wanted:
            unknown = (ids == UNKNOWN_ID).nonzero()[0].tolist()
            pieces = b"".join([self._pieces[words[place]] for place in unknown])
            parts.append(numpy.frombuffer(pieces, numpy.int32))
        if len(parts) > 1:
            ids = numpy.concatenate(parts)
        if self.is_bag:
            ids = _sorted_few(ids)
        return ids[: self._max_length]

    def encode_all(self, texts: Sequence[str]) -> list[numpy.ndarray]:
        """Return what `encode` returns for each text, sooner: what is done for all is done once."""
        if not self.is_bag or len(texts) < _FEW_TEXTS:
            return [self.encode(text) for text in texts]
        lists = [[TEXT_START, *split_words(text), TEXT_END] for text in texts]
        words = list(itertools.chain.from_iterable(lists))
        ids = numpy.fromiter(map(self._id_of, words), numpy.int32, len(words))
        # The number of its text stands above each id, so that one sort sorts the ids of each text
        starts = numpy.arange(len(texts), dtype=numpy.int64) << _TEXT_SHIFT
        above = starts.repeat([len(each) for each in lists])
        parts = [above | ids]
        if self._pairs_wanted:
            at, pairs = self._pairs.find(_pair_keys(ids))
            in_one_text = above[at] == above[at + 1]
            parts.append((above[at] | pairs)[in_one_text])
        if self._pieces_wanted:
            unknown = (ids == UNKNOWN_ID).nonzero()[0]
            pieces = [self._pieces[words[place]] for place in unknown.tolist()]
            if pieces:
                above_pieces = above[unknown].repeat([len(each) // _ID_BYTES for each in pieces])
                parts.append(above_pieces | numpy.frombuffer(b"".join(pieces), numpy.int32))
        keys = _sorted_few(numpy.concatenate(parts))
        ends = numpy.append(keys.searchsorted(starts[1:]), len(keys)).tolist()
        ids = (keys & _ID_MASK).astype(numpy.int32)
        return [ids[start:end][: self._max_length] for start, end in itertools.pairwise([0, *ends])]

    def places(self, text: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield each id of a bag with the words it stands for: places in `find_words(text)`."""
        words = split_words(text)
        ids = numpy.array(
            [self._ids[word] for word in (TEXT_START, *words, TEXT_END)],
            numpy.int32,
        )
        last = len(words)
        for place, token in enumerate(ids[1:-1].tolist()):
            if token != UNKNOWN_ID:
                yield token, (place,)
                continue
            for piece in numpy.frombuffer(self._pieces[words[place]], numpy.int32).tolist():
                yield piece, (place,)
        if self._pairs_wanted:
            found = self._pairs.find(_pair_keys(ids))
            for at, pair in zip(*map(numpy.ndarray.tolist, found), strict=True):
                yield pair, tuple(place for place in (at - 1, at) if 0 <= place < last)
        for end in (TEXT_START, TEXT_END):
            if end in self._ids:
                yield self._ids[end], ()

    def words(self, text: str) -> list[str]:
        """Return the words that `encode` looks up, before pairs and pieces are made of them."""
        return split_words(text)

    def _pair_key(self, pair: str) -> int:
        left, right = pair.split(" ")
        return self._ids[left] | (self._ids[right] << _PAIR_SHIFT)
