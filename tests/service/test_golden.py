"""Golden texts cover the labels, and scores count as they should."""

import itertools

import pytest
from classifier.serving.predict import Prediction
from classifier.training.golden import GoldenChooser
from classifier.training.scores import Scores


def answer(label, probability, labels="abc"):
    rest = (1 - probability) / (len(labels) - 1)
    shares = {name: probability if name == label else rest for name in labels}
    return Prediction(label, probability, shares)


def chosen(answers):
    chooser = GoldenChooser("abc")
    for place, (wanted, given, probability) in enumerate(answers):
        chooser.add(f"text {place}", wanted, answer(given, probability))
    return chooser


def test_right_answers_of_every_label_are_chosen():
    golden = chosen([(label, label, 0.9) for label in "abc" * 20]).choose()
    assert len(golden) == 12
    assert [item.label for item in golden[:3]] == ["a", "b", "c"]


def test_a_label_that_is_only_given_wrongly_is_covered_with_the_model_answer():
    golden = chosen([("a", "a", 0.9)] * 20 + [("a", "b", 0.9)]).choose()
    assert {item.label for item in golden} == {"a", "b"}
    assert next(item for item in golden if item.label == "b").text == "text 20"


def test_near_ties_are_not_chosen_while_there_are_others():
    golden = chosen([("a", "a", 0.335), *[("a", "a", 0.9)] * 8]).choose()
    assert "text 0" not in {item.text for item in golden}


def test_a_text_is_chosen_once():
    chooser = GoldenChooser("abc")
    for _ in range(20):
        chooser.add("again", "a", answer("a", 0.9))
    assert len(chooser.choose()) == 1
    assert not chooser.enough


def test_every_label_is_covered_however_many_there_are():
    labels = [f"label {n}" for n in range(150)]
    chooser = GoldenChooser(labels)
    for place, label in enumerate(itertools.chain(labels, labels)):
        chooser.add(f"text {place}", label, answer(label, 0.9, labels))
    golden = chooser.choose()
    assert len({item.label for item in golden}) == len(golden) == 150


def test_few_labels_have_a_few_texts_each():
    labels = [f"label {n}" for n in range(20)]
    chooser = GoldenChooser(labels)
    for place, label in enumerate(labels * 9):
        chooser.add(f"text {place}", label, answer(label, 0.9, labels))
    assert len(chooser.choose()) == 64


def test_labels_that_no_answer_had_are_known():
    chooser = chosen([("a", "a", 0.9), ("c", "a", 0.9)] * 8)
    assert chooser.uncovered == {"b", "c"}
    assert not chooser.enough


def test_scores_are_accuracy_and_the_mean_f1_of_labels():
    scores = Scores()
    for wanted, given in [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("c", "a")]:
        scores.add(wanted, given)
    assert scores.texts == 5
    assert scores.accuracy == pytest.approx(3 / 5)
    # a: 2 right, 3 wanted, 3 given; b: 1 right, 1 wanted, 2 given; c: none right
    assert scores.macro_f1 == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
