"""Calibration: the temperature that the data has, and the error as the papers define it."""

import numpy
import pytest
from classifier.training import calibrate


def drawn(count, temperature, labels=4):
    """Return logits that are `temperature` times too sure, with labels drawn as they should be."""
    random = numpy.random.default_rng(1)
    honest = random.normal(size=(count, labels)) * 2
    shares = numpy.exp(honest) / numpy.exp(honest).sum(axis=1, keepdims=True)
    answers = (shares.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return (honest * temperature).astype(numpy.float32), answers


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_too_sure_is_found(temperature):
    assert calibrate.find_temperature(*drawn(20_000, temperature)) == pytest.approx(
        temperature, rel=0.05
    )


def test_few_right_answers_do_not_make_the_model_certain():
    logits = numpy.array([[4.0, 0.0], [0.0, 4.0]] * 3)
    temperature = calibrate.find_temperature(logits, numpy.array([0, 1] * 3))
    surest = 1 / (1 + numpy.exp(-4 / temperature))
    assert 0.8 < surest < 0.99


def sure(mistakes, count=400):
    """Answers that are right with 0.98, as they should be, but for some wrong ones."""
    logits = numpy.tile([4.0, 0.0], (count, 1))
    labels = numpy.zeros(count, int)
    labels[:mistakes] = 1
    return logits, labels


def test_one_mistake_made_with_certainty_does_not_change_all_probabilities():
    logits, labels = sure(7)  # as many as a probability of 0.98 leaves
    assert calibrate.find_temperature(logits, labels) == 1
    logits[0, 0] = 14.0  # and one of them as if it were certain
    assert calibrate.find_temperature(logits, labels) == 1


def test_many_mistakes_do():
    assert calibrate.find_temperature(*sure(40)) > 1.5


def test_logits_that_say_nothing_are_left_in_bounds():
    assert 0.05 <= calibrate.find_temperature(numpy.zeros((5, 3)), numpy.zeros(5, int)) <= 20


def test_what_the_temperature_did_is_undone():
    logits = numpy.array([2.0, -1.0, 0.5])
    plain, warm = (numpy.exp(logits / t) / numpy.exp(logits / t).sum() for t in (1, 1.7))
    assert calibrate.uncalibrated(warm, 1.7) == pytest.approx(plain)


def test_a_probability_of_zero_is_no_error():
    assert calibrate.uncalibrated(numpy.array([1.0, 0.0]), 1.5).sum() == pytest.approx(1)


def test_the_error_is_the_mean_gap_over_the_texts():
    reliability = calibrate.Reliability()
    for confidence, right in [(0.9, True), (0.9, False), (0.5, True), (1.0, True)]:
        reliability.add(confidence, right)
    # bins: two texts at 0.9 with half of them right, one at 0.5 right, one at 1.0 right
    assert reliability.error == pytest.approx((2 * 0.4 + 0.5 + 0) / 4)
    assert reliability.points() == [
        {"texts": 1, "confidence": 0.5, "accuracy": 1.0},
        {"texts": 2, "confidence": 0.9, "accuracy": 0.5},
        {"texts": 1, "confidence": 1.0, "accuracy": 1.0},
    ]
