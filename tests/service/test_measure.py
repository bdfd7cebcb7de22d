"""What is counted on held-out texts, in bounded memory."""

import pytest
from classifier.bundle import TokenizerSettings
from classifier.serving.predict import Prediction
from classifier.serving.tokenizer import Tokenizer
from classifier.training.measure import MISTAKES, Measurement


def measured(answers):
    """Measure (wanted, given, probability) answers of a model with two labels."""
    told = TokenizerSettings(
        kind="bag", ngrams=1, words=1, pairs=0, pieces=0, max_tokens=3, max_length=9
    )
    found = Measurement(("a", "b"), ["dog"], Tokenizer(["dog"], told), 2.0)
    for place, (wanted, given, probability) in enumerate(answers):
        shares = {given: probability, "b" if given == "a" else "a": 1 - probability}
        ordered = {label: shares[label] for label in ("a", "b")}
        found.add(f"dog {place}", wanted, Prediction(given, probability, ordered))
    return found


def test_scores_confusion_and_traffic_are_counted():
    found = measured([("a", "a", 0.9), ("a", "b", 0.8), ("b", "b", 0.6)])
    assert found.scores.accuracy == pytest.approx(2 / 3)
    assert found.confusion == {("a", "a"): 1, ("a", "b"): 1, ("b", "b"): 1}
    assert found.traffic.summary()["unknown_words"]["share"] == 0.5


def test_the_error_before_is_that_without_the_temperature():
    found = measured([("a", "a", 0.8), ("a", "b", 0.8)])
    # odds of 4 to 1 at temperature 2 were odds of 16 to 1 before
    assert found.calibration["ece_after"] == pytest.approx(0.8 - 0.5)
    assert found.calibration["ece_before"] == pytest.approx(16 / 17 - 0.5, abs=1e-6)


def test_the_surest_mistakes_are_kept_and_come_first():
    found = measured([("a", "b", 0.5 + place / 1000) for place in range(100)])
    kept = [item["probability"] for item in found.mistakes]
    assert len(kept) == MISTAKES
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 0.599
    assert found.mistakes[0]["label_probability"] == pytest.approx(0.401)


def test_scores_of_each_label_are_none_where_undefined():
    first, second = measured([("a", "a", 0.9), ("a", "a", 0.9)]).scores.per_label(("a", "b"))
    assert (first["precision"], first["recall"], first["f1"], first["support"]) == (1, 1, 1, 2)
    assert (second["precision"], second["recall"], second["f1"]) == (None, None, None)
