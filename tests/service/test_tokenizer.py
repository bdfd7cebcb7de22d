"""Ids of texts: those of a plain reference, for any Unicode text, and where they come from."""

import itertools
import string
import sys
import unicodedata
from collections import Counter

import keras
import numpy
import pytest
import tensorflow as tf
from classifier.bundle import TokenizerSettings
from classifier.serving import tokenizer as tokenizers
from classifier.serving.tokenizer import Tokenizer, find_words, split_pieces, split_words
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = [
    "<s>", "</s>", "a", "b", "the", "refund", "naïve", "istanbul", "\u0131stanbul", "straße",
    "日", "本",
    "e\u0301", "x1", ".", "!", "😀", "привет", "ς",
]  # fmt: skip
PAIRS = ["<s> the", "a b", "the refund", "b a", "naïve 日", "日 本", ". </s>", "! !", "<s> </s>"]
PIECES = ["<re", "ref", "fund", "und>", "при", "<прив", "<e\u0301", "bul", "<ab", "ab>", "aaa"]
VOCABULARY = [*WORDS, *PAIRS, *(f" {piece}" for piece in PIECES)]
LONGEST_PIECE = 5
LONGEST_WORD = 40  # characters that have pieces

# What Python and TensorFlow treat differently, and what either may trip over.
ODD = list(
    " \t\n\r\v\f"
    "\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"  # white space, not in ASCII
    "\u200b\u2060\u2063\ufeff\xad"  # invisible
    "\0\x01\x7f\x80"
    "\u0130I\u0131i\u017f\u212a\u212b\u2126\u03a3\u03c2\xdf\u1e9e\u01c5\ufb01"  # odd when lowered
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    "\xa1\xbf\xd7\xf7\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u3001\u3002\uff01"
    "\u0301\u0327\u20d0"
    "😀👩\u200d🔬🏳\ufe0f\u200d🌈"
)
PARTS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([word.upper() for word in WORDS]),
    st.sampled_from(["refunds", "REFUNDED", "приветы", "stambul", "aaaa", "abab", "fund" * 10]),
    st.sampled_from([" ", " ", "\n", ", "]),
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
TEXTS = st.lists(PARTS, max_size=24).map("".join)
MAX_LENGTHS = st.sampled_from([1, 3, 8, 1000])
THOROUGH = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
RANGES_OF_MARKS = [
    (0x00, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7),
    (0x2000, 0x2BFF), (0x3000, 0x303F), (0xFF00, 0xFF0F), (0x1F000, 0x1FAFF),
]  # fmt: skip
RANGES_OF_CJK = [(0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)]


def settings_for(kind="bag", *, ngrams=2, pieces=LONGEST_PIECE, max_length=1000, **counts):
    return TokenizerSettings(
        kind=kind,
        ngrams=ngrams,
        words=counts.get("words", len(WORDS)),
        pairs=counts.get("pairs", len(PAIRS)),
        pieces=pieces,
        max_tokens=len(VOCABULARY) + 2,
        max_length=max_length,
    )


def tokenizer_for(kind="bag", **options):
    return Tokenizer(VOCABULARY, settings_for(kind, **options))


def plain_words(text):
    """The words of a text, character by character."""
    words, open_word = [], False
    for character in text.replace("\u0130", "i").lower():
        place = ord(character)
        alone = any(low <= place <= high for low, high in RANGES_OF_MARKS + RANGES_OF_CJK)
        if character.isspace():
            open_word = False
        elif alone:
            words.append(character)
            open_word = False
        elif open_word:
            words[-1] += character
        else:
            words.append(character)
            open_word = True
    return words


def plain_ids(text, kind, ngrams, max_length):
    """What `encode` must return, by dicts of strings and a Counter."""
    ids = {token: place for place, token in enumerate(VOCABULARY, 2)}
    words = plain_words(text)
    if kind == "bag":
        words = ["<s>", *words, "</s>"]
    found = [ids.get(word, 1) for word in words]
    if ngrams == 2:
        pairs = (f"{left} {right}" for left, right in itertools.pairwise(words))
        found += [ids[pair] for pair in pairs if pair in ids]
    if kind == "bag":
        for word in words:
            if word not in ids:
                marked = f"<{word[:LONGEST_WORD]}>"
                ends = itertools.combinations(range(len(marked) + 1), 2)
                pieces = (f" {marked[a:b]}" for a, b in ends if 3 <= b - a <= LONGEST_PIECE)
                found += [ids[piece] for piece in dict.fromkeys(pieces) if piece in ids]
        found = sorted(token for token, n in Counter(found).items() for _ in range(min(n, 2)))
    return found[:max_length]


@THOROUGH
@given(text=TEXTS, max_length=MAX_LENGTHS, ngrams=st.sampled_from([1, 2]))
def test_a_bag_holds_each_id_of_words_pairs_and_pieces_at_most_twice(text, max_length, ngrams):
    found = tokenizer_for(max_length=max_length, ngrams=ngrams).encode(text)
    assert found.dtype == numpy.int32
    assert found.tolist() == plain_ids(text, "bag", ngrams, max_length)


@THOROUGH
@given(
    texts=st.lists(TEXTS, max_size=9),
    kind=st.sampled_from(["bag", "sequence"]),
    max_length=MAX_LENGTHS,
    ngrams=st.sampled_from([1, 2]),
)
def test_texts_encoded_together_have_the_ids_of_each_alone(texts, kind, max_length, ngrams):
    # A pair that no text holds, but that stands where one text ends and the next begins
    vocabulary = [*WORDS, *PAIRS, "</s> <s>", *(f" {piece}" for piece in PIECES)]
    told = settings_for(kind, max_length=max_length, ngrams=ngrams, pairs=len(PAIRS) + 1)
    tokenizer = Tokenizer(vocabulary, told)
    found = tokenizer.encode_all(texts)
    assert all(ids.dtype == numpy.int32 for ids in found)
    assert [ids.tolist() for ids in found] == [tokenizer.encode(text).tolist() for text in texts]


@THOROUGH
@given(text=TEXTS, max_length=MAX_LENGTHS, ngrams=st.sampled_from([1, 2]))
def test_a_sequence_holds_all_words_in_order_then_known_pairs(text, max_length, ngrams):
    vocabulary = [*WORDS, *PAIRS]
    told = settings_for("sequence", max_length=max_length, ngrams=ngrams, pieces=0)
    found = Tokenizer(vocabulary, told).encode(text)
    assert found.dtype == numpy.int32
    assert found.tolist() == plain_ids(text, "sequence", ngrams, max_length)


@THOROUGH
@given(text=TEXTS)
def test_words_are_those_of_a_reading_character_by_character(text):
    assert split_words(text) == plain_words(text)
    assert tokenizer_for().words(text) == plain_words(text)


@THOROUGH
@given(text=TEXTS)
def test_words_as_written_are_the_words_of_the_text_where_they_stand(text):
    found = list(find_words(text))
    lowered = text.replace("\u0130", "i").lower()
    assert [lowered[start:end] for _, start, end in found] == split_words(text)
    assert all(text[start:end] == word for word, start, end in found)
    edges = [0, *(edge for _, start, end in found for edge in (start, end)), len(text)]
    assert edges == sorted(edges)
    between = [text[left:right] for left, right in zip(edges[::2], edges[1::2], strict=True)]
    assert "".join(between).strip() == ""


@THOROUGH
@given(text=TEXTS)
def test_places_yield_the_ids_of_a_bag_whatever_its_longest_length(text):
    found = {token for token, _ in tokenizer_for(max_length=1).places(text)}
    assert found == set(tokenizer_for(max_length=10**6).encode(text).tolist()) - {1}


@THOROUGH
@given(text=TEXTS)
def test_each_id_stands_at_words_that_hold_its_token(text):
    words = split_words(text)
    for token, places in tokenizer_for().places(text):
        name, held = VOCABULARY[token - 2], [words[place] for place in places]
        if name in WORDS:
            assert held == [name] or (held == [] and name in ("<s>", "</s>"))
        elif name in PAIRS:
            assert held == [word for word in name.split(" ") if word not in ("<s>", "</s>")]
        else:
            assert name[1:] in f"<{held[0][:LONGEST_WORD]}>"
            assert held[0] not in WORDS


def test_every_character_keeps_its_length_when_lowered():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    grown = [c for c in everything if len(tokenizers._lowered(c)) != 1]
    assert grown == []
    assert len(tokenizers._lowered(everything)) == len(everything)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n\u2003", []),
        ("!?.", ["!", "?", "."]),
        ("The REFUND, please!", ["the", "refund", ",", "please", "!"]),
        ("don't e-mail", ["don", "'", "t", "e", "-", "mail"]),
        ("İstanbul ISTANBUL Iğdir", ["istanbul", "istanbul", "iğdir"]),
        ("日本語のテスト", list("日本語のテスト")),
        ("我爱Python3!", ["我", "爱", "python3", "!"]),
        ("naïve e\u0301te\u0301", ["naïve", "e\u0301te\u0301"]),
        ("Привет, МИР", ["привет", ",", "мир"]),
        ("ok😀👍", ["ok", "😀", "👍"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("हिन्दी पाठ", ["हिन्दी", "पाठ"]),
        ("non\xa0breaking\x1cspace\x85line", ["non", "breaking", "space", "line"]),
        ("\u212aelvin", ["kelvin"]),
        ("«zwei» \u2013 drei…", ["«", "zwei", "»", "\u2013", "drei", "…"]),
    ],
    ids=ascii,
)
def test_words_of_many_scripts(text, words):
    assert split_words(text) == words


def test_letters_of_every_script_make_words():
    alone = [
        chr(place)
        for place in range(0x250, 0x2000)
        if unicodedata.category(chr(place)) in ("Ll", "Lu", "Lo")
        and len(split_words(chr(place) * 2)) != 1
    ]
    assert alone == []


@pytest.mark.parametrize("kind", ["bag", "sequence"])
def test_ids_beyond_the_longest_length_are_cut(kind):
    whole = tokenizer_for(kind).encode("a b a b the refund")
    assert len(whole) > 5
    assert tokenizer_for(kind, max_length=5).encode("a b a b the refund").tolist() == (
        whole[:5].tolist()
    )


def test_a_bag_of_nothing_is_the_ends_of_the_text():
    tokens = [VOCABULARY[token - 2] for token in tokenizer_for().encode("")]
    assert tokens == ["<s>", "</s>", "<s> </s>"]
    assert tokenizer_for("sequence").encode("").tolist() == []


def test_pieces_speak_for_unknown_words_alone():
    tokenizer = tokenizer_for()
    assert {VOCABULARY[i - 2] for i in tokenizer.encode("refunds") if i > 1} == {
        "<s>", "</s>", " <re", " ref", " fund"
    }  # fmt: skip
    assert {VOCABULARY[i - 2] for i in tokenizer.encode("refund")} == {"<s>", "</s>", "refund"}


def test_a_word_is_all_its_runs_of_characters():
    assert list(split_pieces("cat", 4)) == ["<ca", "cat", "at>", "<cat", "cat>"]
    assert list(split_pieces("a", 5)) == ["<a>"]
    assert list(split_pieces("ab", 2)) == []


@pytest.mark.parametrize("rest", ["", "b", "b" * 10_000])
def test_only_the_first_characters_of_a_very_long_word_have_pieces(rest):
    assert list(split_pieces("a" * LONGEST_WORD + rest, 3)) == ["<aa", *["aaa"] * 38, "aa>"]


@pytest.mark.parametrize("remembered", [1, 3])
def test_pieces_of_words_that_were_met_are_the_same_again(remembered, monkeypatch):
    monkeypatch.setattr(tokenizers, "_REMEMBERED_WORDS", remembered)
    tokenizer = tokenizer_for()
    texts = ["refunds abab", "приветы refunds", "stambul aaaa abab refunds", ""] * 3
    for text in texts:
        assert tokenizer.encode(text).tolist() == plain_ids(text, "bag", 2, 1000)
        assert len(tokenizer._pieces) <= remembered


def test_a_word_of_the_text_cannot_be_taken_for_its_end():
    assert split_words("<s> </s>") == ["<", "s", ">", "<", "/", "s", ">"]


@settings(THOROUGH, max_examples=30)
@given(texts=st.lists(st.text(string.printable + " abAB", max_size=60), min_size=1, max_size=8))
def test_words_and_pairs_are_those_of_keras_where_both_can_say_it(texts):
    texts = [*texts, "a b"]
    layer = keras.layers.TextVectorization(
        standardize=marks_apart, split="whitespace", ngrams=2, output_mode="int"
    )
    layer.adapt(texts)
    tokens = layer.get_vocabulary(include_special_tokens=False)
    words = [token for token in tokens if " " not in token]
    pairs = [token for token in tokens if " " in token][::2]  # so that some are unknown
    layer.set_vocabulary([*words, *pairs])
    told = settings_for("sequence", pieces=0, words=len(words), pairs=len(pairs))
    tokenizer = Tokenizer([*words, *pairs], told)
    for text, row in zip(texts, layer(tf.constant(texts)).numpy().tolist(), strict=True):
        count = len(split_words(text))
        assert tokenizer.encode(text).tolist() == [
            *row[:count], *(token for token in row[count:] if token > 1)
        ]  # fmt: skip


def marks_apart(texts):
    return tf.strings.regex_replace(
        tf.strings.lower(texts, encoding="utf-8"), r"([[:punct:]])", r" \1 "
    )
