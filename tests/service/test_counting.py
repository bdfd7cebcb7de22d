"""Counting tokens in bounded memory: exact while they fit, and never far off."""

import itertools
from collections import Counter

import numpy
import pytest
from classifier.serving.tokenizer import split_words
from classifier.training.counting import LEAST_CAPACITY, TokenCounter, capacity_for
from hypothesis import given
from hypothesis import strategies as st


def counted(texts, ngrams=1, capacity=1000, **options):
    counter = TokenCounter(ngrams, capacity, **options)
    for text in texts:
        counter.add(text)
    return counter


def test_texts_that_hold_a_word_are_counted_and_not_how_often():
    counter = counted(["a a a a", "b a", "b c"])
    assert counter.most_common(10, 1) == (["a", "b", "c"], [])
    assert counter.most_common(10, 2) == (["a", "b"], [])


def test_words_and_pairs_come_by_count_and_then_by_name():
    counter = counted(["A b, a b", "b a"], ngrams=2)
    assert counter.most_common(10, 1) == (["a", "b", ","], [", a", "a b", "b ,", "b a"])
    assert counter.most_common(10, 2) == (["a", "b"], [])
    assert counter.error == 0


def test_where_not_all_fit_words_come_before_pairs_as_frequent():
    counter = counted(["a b c"], ngrams=2)
    assert counter.most_common(4, 1) == (["a", "b", "c"], ["a b"])


def test_the_ends_of_a_text_are_words_where_they_are_asked_for():
    assert counted(["a", ""], ngrams=2, ends=True).most_common(9, 1) == (
        ["</s>", "<s>", "a"], ["<s> </s>", "<s> a", "a </s>"]
    )  # fmt: skip
    assert counted([""]).most_common(9, 1) == ([], [])


@given(st.lists(st.text("aAbB.,!日本 \n", max_size=20), max_size=9), st.integers(1, 3))
def test_counts_are_those_of_a_plain_count(texts, least):
    words, pairs = counted(texts, ngrams=2, capacity=10**6).most_common(10**6, least)
    split = [split_words(text) for text in texts]
    wanted_words = Counter(word for text in split for word in set(text))
    wanted_pairs = Counter(pair for text in split for pair in set(itertools.pairwise(text)))
    assert words == by_count(wanted_words, least)
    assert pairs == by_count({" ".join(k): n for k, n in wanted_pairs.items()}, least)


def by_count(counts, least):
    kept = [(-count, token) for token, count in counts.items() if count >= least]
    return [token for _, token in sorted(kept)]


@pytest.mark.parametrize("capacity", [300, 1000])
def test_the_table_stays_small_and_frequent_tokens_are_found(capacity):
    random = numpy.random.default_rng(1)
    texts = [[f"w{n}" for n in random.zipf(1.2, size=50).clip(max=10**6)] for _ in range(2000)]
    exact = Counter(word for text in texts for word in set(text))
    counter = counted([" ".join(text) for text in texts], capacity=capacity)
    assert len(counter) <= capacity
    assert counter.error > 0
    surely = {word for word, count in exact.items() if count > counter.error}
    assert len(surely) >= 20
    found, _ = counter.most_common(10**6, 1)
    assert surely <= set(found)


def test_the_words_of_a_pair_are_there_also_after_thinning_out():
    random = numpy.random.default_rng(2)
    texts = [" ".join(f"w{n}" for n in random.zipf(1.3, size=30)) for _ in range(500)]
    counter = counted(texts, ngrams=2, capacity=200)
    assert counter.error > 0
    words, pairs = counter.most_common(150, 1)
    assert pairs
    assert set(words).issuperset(word for pair in pairs for word in pair.split(" "))


def test_one_long_text_does_not_break_the_bound():
    counter = counted([" ".join(f"w{n}" for n in range(5000))] * 2, capacity=100)
    assert len(counter) <= 50


def test_there_is_room_for_several_times_the_vocabulary():
    assert capacity_for(10) == LEAST_CAPACITY
    assert capacity_for(LEAST_CAPACITY) == 4 * LEAST_CAPACITY
