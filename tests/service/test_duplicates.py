"""Texts that are in two splits are counted from small fingerprints."""

import numpy
from classifier.training.duplicates import Fingerprints, Shared, count_shared


def prints_of(texts, **options):
    prints = Fingerprints(**options)
    for place, text in enumerate(texts):
        prints.add(place, text.encode())
    return prints


def everything(count):
    return numpy.ones(count, bool)


def test_shared_texts_are_counted_once_for_each_time_they_are_held_out():
    ours, theirs = prints_of(["a", "b", "c"]), prints_of(["b", "x", "b"])
    assert count_shared(ours, everything(3), theirs, everything(3)) == Shared(2, True)


def test_only_texts_of_the_split_count():
    prints = prints_of(["a", "a", "b", "c", "c"])
    training = numpy.array([True, False, True, True, False])
    assert count_shared(prints, training, prints, ~training) == Shared(2, True)
    assert count_shared(prints, everything(5) & False, prints, ~training) == Shared(0, True)


def test_beyond_the_bound_the_count_is_an_estimate():
    ours = prints_of([str(n) for n in range(8000)], most=1000)
    theirs = prints_of([str(n) for n in range(4000, 12_000)], most=10**6)
    assert ours.every >= 8
    found = count_shared(ours, everything(8000), theirs, everything(8000))
    assert not found.is_exact
    assert 3300 < found.count < 4700
