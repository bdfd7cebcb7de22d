"""Two bundles side by side: the counts, how sure the difference is, and where they differ."""

import json

import numpy
import pytest
from classifier.__main__ import main
from classifier.serving.predict import Prediction
from classifier.training.compare import Comparison


def compared(both=0, only_first=0, only_second=0, neither=0):
    return Comparison(both, only_first, only_second, neither)


def test_accuracies_and_their_difference():
    found = compared(70, 5, 15, 10)
    assert found.accuracies == (0.75, 0.85)
    assert found.difference == pytest.approx(0.1)


# Exact binomial tails, by hand: 2 * (1/2)^5; 2 * (1 + 6) / 2^6; 1 at a tie.
@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    [(0, 5, 0.0625), (1, 5, 14 / 64), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_the_p_value_is_that_of_mcnemars_exact_test(only_first, only_second, expected):
    assert compared(90, only_first, only_second).p_value == pytest.approx(expected)


def test_many_texts_are_no_overflow():
    assert 0 <= compared(10**6, 40_000, 41_000).p_value < 0.01


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    dice = numpy.random.default_rng(1)
    hits = 0
    for _ in range(500):
        low, high = compared(*dice.multinomial(80, [0.8, 0.05, 0.15]).tolist()).interval
        hits += low <= 0.1 <= high
    assert hits / 500 == pytest.approx(0.95, abs=0.025)


def test_no_disagreement_is_not_certainty():
    low, high = compared(100).interval
    assert -0.05 < low < 0 < high < 0.05


def test_texts_answered_differently_are_kept():
    found = Comparison()
    for first, second in (("a", "b"), ("a", "a")):
        answers = [Prediction(label, 0.9, {}) for label in (first, second)]
        found.add("text", "a", *answers)
    assert (found.both, found.only_first) == (1, 1)
    assert [answer["label"] for answer in found.disagreements[0]["answers"]] == ["a", "b"]


def test_a_bundle_against_itself_is_even(bundle_dir, data_dir, capsys):
    assert main(["compare", str(bundle_dir), str(bundle_dir), str(data_dir), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["texts"], found["difference"], found["p_value"]) == (60, 0, 1)
    assert found["disagreements"] == []
    assert [one["accuracy"] for one in found["bundles"]] == [1.0, 1.0]


def test_people_see_accuracies_interval_and_disagreements(
    bundle_dir, other_bundle, tmp_path, capsys
):
    (tmp_path / "t.csv").write_text("label,text\nfood,fresh bread is served hot\nplants,moss\n")
    assert main(["compare", str(bundle_dir), str(other_bundle), str(tmp_path / "t.csv")]) == 0
    said = capsys.readouterr()
    first, second, difference, right, *_ = said.out.splitlines()
    assert first.startswith("0.5000  ")
    assert second.startswith("0.0000  ")
    assert "difference -0.5000, 95 % interval " in difference
    assert "only the first 1" in right
    assert "labelled food | fresh bread is served hot" in said.out
    assert (
        f"{bundle_dir} does not know 2 labels of {other_bundle}: 'minerals', 'plants'" in said.err
    )


def test_a_label_that_neither_knows_is_refused(bundle_dir, tmp_path, capsys):
    (tmp_path / "t.csv").write_text("label,text\ncars,a van\n")
    assert main(["compare", str(bundle_dir), str(bundle_dir), str(tmp_path / "t.csv")]) == 2
    assert "the label 'cars', which neither bundle knows" in capsys.readouterr().err


@pytest.fixture
def other_bundle(bundle_dir, tmp_path):
    """The same model, its labels named otherwise."""
    from classifier import bundle

    sound = bundle.load(bundle_dir)
    labels = ("minerals", "plants", "weather")
    renamed = dict(zip(sound.labels, labels, strict=True))
    golden = [
        bundle.GoldenText(item.text, renamed[item.label], item.probability) for item in sound.golden
    ]
    mix = {renamed[label]: share for label, share in sound.statistics["label_mix"].items()}
    names = ("vocabulary", "tokenizer", "limits", "metrics", "calibration", "embedding", "terms")
    made = bundle.write(
        tmp_path / "other",
        model=sound.model_path.read_bytes(),
        labels=labels,
        golden=golden,
        statistics=sound.statistics | {"label_mix": mix},
        training=sound.card["training"],
        **{name: getattr(sound, name) for name in names},
    )
    return made.path
