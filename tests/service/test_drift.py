import math

import pytest
from classifier import drift

STATISTICS = {
    "label_mix": {"a": 0.75, "b": 0.25},
    "confidence": {"histogram": [0] * 19 + [40]},
    "words": {"quantiles": {"p5": 2, "p25": 4, "p50": 4, "p75": 9, "p95": 20}},
    "unknown_words": {"share": 0.1},
}


def test_the_same_shares_have_an_index_of_0():
    assert drift.stability_index([3, 1], [0.75, 0.25]) == 0


def test_the_index_is_the_one_of_the_books():
    expected = (0.25 - 0.5) * math.log(0.25 / 0.5) + (0.75 - 0.5) * math.log(0.75 / 0.5)
    assert drift.stability_index([1, 1], [1, 3]) == pytest.approx(expected)


def test_the_index_grows_with_the_distance_and_stays_finite():
    found = [drift.stability_index([50, 50], [50 + more, 50 - more]) for more in (0, 10, 30, 50)]
    assert found == sorted(set(found))
    assert found[-1] < 10


def test_lengths_have_a_bin_up_to_each_quantile():
    bins = drift.length_bins(STATISTICS)
    assert list(bins) == [2, 4, 9, 20, math.inf]
    assert list(bins.values()) == pytest.approx([0.05, 0.45, 0.25, 0.2, 0.05])


def test_bins_hold_what_cumulated_counts_grow_by():
    assert drift.bin_counts([1, 1, 4]) == [1, 0, 3]


def test_only_what_was_counted_has_a_score():
    found = {"label_mix": [75, 25], "confidence": [0] * 20, "words": [0] * 5,
             "unknown_words": [50, 50]}  # fmt: skip
    scores = drift.scores(STATISTICS, found)
    assert scores.keys() == {"label_mix", "unknown_words"}
    assert scores["label_mix"] == pytest.approx(0)
    assert scores["unknown_words"] > 0.25
