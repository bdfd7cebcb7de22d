"""Counting tokens in bounded memory: exact while they fit, and never far off."""

from collections import Counter

import numpy
import pytest
from classifier.training.counting import LEAST_CAPACITY, TokenCounter, capacity_for


def counted(texts, ngrams=1, capacity=1000):
    counter = TokenCounter(ngrams, capacity)
    for text in texts:
        counter.add(text.encode())
    return counter


def test_words_and_runs_are_counted():
    counter = counted(["A b, a b!", "b a"], ngrams=2)
    assert counter.most_common(10, 1) == ["b", "a", "b a", "a b"]
    assert counter.most_common(2, 1) == ["b", "a"]
    assert counter.most_common(10, 3) == ["b", "a"]
    assert counter.error == 0


@pytest.mark.parametrize("capacity", [300, 1000])
def test_the_table_stays_small_and_frequent_tokens_are_found(capacity):
    random = numpy.random.default_rng(1)
    words = [[f"w{n}" for n in random.zipf(1.2, size=50).clip(max=10**6)] for _ in range(2000)]
    exact = Counter(word for text in words for word in text)
    counter = counted([" ".join(text) for text in words], capacity=capacity)
    assert len(counter) <= capacity
    assert counter.error > 0
    surely = [word for word, count in exact.most_common(40) if count > counter.error]
    assert len(surely) >= 20
    assert counter.most_common(len(surely), 1) == surely


def test_one_long_text_does_not_break_the_bound():
    counter = counted([" ".join(f"w{n}" for n in range(5000))] * 2, capacity=100)
    assert len(counter) <= 50


def test_there_is_room_for_many_times_the_vocabulary():
    assert capacity_for(10) == LEAST_CAPACITY
    assert capacity_for(LEAST_CAPACITY) == 8 * LEAST_CAPACITY
