"""What a stream of texts looks like, summed up."""

from classifier.traffic import CONFIDENCE_BINS, Traffic


def test_the_summary_counts_labels_confidence_length_and_unknown_words():
    traffic = Traffic(("a", "b", "c"), ["dog", "cat", "dog cat"])
    traffic.add(["dog", "runs"], "a", 0.5)
    traffic.add(["cat"], "a", 1.0)
    traffic.add(["dog", "dog", "cat", "sat"], "b", 0.52)
    traffic.add([], "b", 0.0)
    found = traffic.summary()
    assert found["texts"] == 4
    assert found["label_mix"] == {"a": 0.5, "b": 0.5, "c": 0.0}
    histogram = found["confidence"]["histogram"]
    assert len(histogram) == CONFIDENCE_BINS
    assert {place: n for place, n in enumerate(histogram) if n} == {0: 1, 10: 2, 19: 1}
    assert found["confidence"]["quantiles"]["p50"] == 0.5
    assert found["words"]["quantiles"] == {"p5": 0, "p25": 0, "p50": 1, "p75": 2, "p95": 4}
    assert found["unknown_words"]["share"] == 2 / 7
    assert found["unknown_words"]["quantiles"]["p95"] == 0.5


def test_texts_without_words_are_summed_up_too():
    traffic = Traffic(("a", "b"), ["dog"])
    traffic.add([], "a", 0.5)
    assert traffic.summary()["unknown_words"] == {
        "share": 0.0,
        "quantiles": dict.fromkeys(("p5", "p25", "p50", "p75", "p95"), 0.0),
    }
