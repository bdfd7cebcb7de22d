"""The vocabulary: from training texts, most frequent first, as the one tokenizer reads it."""

import itertools

import pytest
from classifier.bundle import SPECIAL_IDS
from classifier.serving.tokenizer import split_words
from classifier.training import vectorize
from classifier.training.errors import DataError
from classifier.training.settings import Settings

TEXTS = ["The dog, the DOG", "a cat, the dog", "Éa été\u2028 dog", ""]


def vocabulary_of(texts=TEXTS, most=10_000, kind="bag", **settings):
    return vectorize.find_vocabulary(texts, Settings(**settings), most, kind=kind)


def parts(vocabulary):
    told = vocabulary.tokenizer
    edges = [0, told.words, told.words + told.pairs, len(vocabulary.tokens)]
    return [vocabulary.tokens[start:end] for start, end in itertools.pairwise(edges)]


def test_frequent_tokens_come_first_and_rare_ones_stay_out():
    words, pairs, pieces = parts(vocabulary_of(min_count=2, pieces=0))
    assert words == ("</s>", "<s>", "dog", ",", "the")
    assert pairs == ("dog </s>", ", the", "the dog")
    assert pieces == ()


def test_every_word_and_pair_is_known_by_default():
    words, pairs, _ = parts(vocabulary_of())
    split = [["<s>", *split_words(text), "</s>"] for text in TEXTS]
    assert set(words) == {word for text in split for word in text}
    assert set(pairs) == {" ".join(pair) for text in split for pair in itertools.pairwise(text)}


def test_pieces_are_those_that_two_words_or_more_hold_the_commonest_first():
    wanted = [
        "fun", "fund", "und",
        "<fu", "<fun", "<re", "<ref", "efu", "efun", "nd>", "ref", "refu", "und>",
    ]  # fmt: skip
    words = ["refund", "refunds", "fund", "funny", "x", "."]
    assert vectorize.find_pieces(words, 4, 100) == wanted
    assert vectorize.find_pieces(words, 4, 2) == wanted[:2]
    assert {f" {piece}" for piece in wanted} <= set(parts(vocabulary_of([" ".join(words)]))[2])


def test_a_word_holds_a_piece_once_and_a_single_character_none():
    assert list(vectorize.pieces_of("aaaa", 3)) == ["<aa", "aaa", "aa>"]
    assert list(vectorize.pieces_of("!", 5)) == []
    assert vectorize.find_pieces(["aaaa", "!"], 3, 100) == []


def test_one_word_at_a_time_when_asked():
    words, pairs, _ = parts(vocabulary_of(ngrams=1))
    assert "dog" in words
    assert pairs == ()


def test_a_sequence_has_words_and_pairs_and_neither_ends_nor_pieces():
    vocabulary = vocabulary_of(kind="sequence")
    words, pairs, pieces = parts(vocabulary)
    assert (vocabulary.tokenizer.kind, vocabulary.tokenizer.pieces, pieces) == ("sequence", 0, ())
    assert not {"<s>", "</s>"} & {word for token in words + pairs for word in token.split(" ")}


@pytest.mark.parametrize(
    ("settings", "most"),
    [({}, 40), ({"max_tokens": 9}, 10_000), ({"max_pieces": 3}, 10_000), ({}, 12)],
)
def test_the_number_of_ids_is_bounded(settings, most):
    texts = ["refund refunds fund funny", "refunded funds", "the fun of refunding"]
    vocabulary = vocabulary_of(texts, most, **settings)
    words, pairs, pieces = parts(vocabulary)
    assert vocabulary.id_count == len(vocabulary.tokens) + SPECIAL_IDS <= most
    assert len(words + pairs) <= settings.get("max_tokens", most)
    assert len(pieces) <= settings.get("max_pieces", most // 4)


@pytest.mark.parametrize("texts", [["one two three"], ["... !!", "?"], ["", ""]])
@pytest.mark.parametrize("kind", ["bag", "sequence"])
def test_texts_without_a_repeated_word_are_refused(texts, kind):
    with pytest.raises(DataError, match="no word occurs in 2 of the texts .* lower --min-count"):
        vocabulary_of(texts, kind=kind, min_count=2)


@pytest.mark.parametrize("kind", ["bag", "sequence"])
@pytest.mark.parametrize("ngrams", [1, 2])
def test_a_tokenizer_finds_all_tokens_of_the_texts_it_was_made_for(kind, ngrams):
    vocabulary = vocabulary_of(kind=kind, ngrams=ngrams)
    tokenizer = vocabulary.make_tokenizer()
    words, pairs, _ = parts(vocabulary)
    found = {token for text in TEXTS for token in tokenizer.encode(text).tolist()}
    assert found == set(range(SPECIAL_IDS, SPECIAL_IDS + len(words + pairs)))


def test_words_and_pieces_are_told_with_their_ids():
    vocabulary = vocabulary_of()
    assert vocabulary.words == parts(vocabulary)[0]
    assert vocabulary.pieces == {
        piece.removeprefix(" "): vocabulary.tokens.index(piece) + SPECIAL_IDS
        for piece in parts(vocabulary)[2]
    }
