"""Numbers found in a perfect hash table: those of a plain dict, whatever they are."""

import numpy
import pytest
from classifier.serving import key_table
from classifier.serving.key_table import KeyTable

FIRST = 7


def drawn(count, most=25_000, seed=3):
    """Numbers as pairs of ids make them, some several times, zero and the largest as well."""
    dice = numpy.random.default_rng(seed)
    keys = (dice.integers(most, size=count) << 32) | dice.integers(most, size=count)
    ends = numpy.array([0, 2**63 - 2], numpy.int64)
    return numpy.concatenate([keys, keys[: count // 10], ends[: count % 7]])


def plain(known, asked):
    values = {}
    for value, key in enumerate(known.tolist(), FIRST):
        values.setdefault(key, value)
    return [(at, values[key]) for at, key in enumerate(asked.tolist()) if key in values]


def found(table, asked):
    at, values = table.find(asked)
    assert values.dtype == numpy.int32
    return list(zip(at.tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 100, 5000, 76_000])
def test_known_numbers_are_found_and_no_others(count):
    known = drawn(count)
    asked = numpy.concatenate([known, drawn(2000, seed=4), drawn(2000, most=90, seed=5)])
    assert found(KeyTable(known, FIRST), asked) == plain(known, asked)


def test_numbers_that_lie_close_together_have_places_of_their_own():
    known = numpy.arange(3000)
    asked = numpy.arange(6000)
    assert found(KeyTable(known, FIRST), asked) == plain(known, asked)


def test_where_a_bucket_finds_no_factor_the_table_grows(monkeypatch):
    known = drawn(4000)
    roomy = KeyTable(known, FIRST)
    monkeypatch.setattr(key_table, "_MOST_TRIES", 1)
    monkeypatch.setattr(key_table, "_PLACES_FOR_EACH", 0.5)
    narrow = KeyTable(known, FIRST)
    assert found(narrow, known) == found(roomy, known) == plain(known, known)


def test_nothing_is_found_among_nothing():
    assert found(KeyTable(numpy.zeros(0, numpy.int64), FIRST), drawn(10)) == []
    assert found(KeyTable(drawn(10), FIRST), numpy.zeros(0, numpy.int64)) == []
