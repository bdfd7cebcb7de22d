import dataclasses
import math
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from classifier import bundle as bundles
from classifier.serving import predict
from classifier.serving.predict import PredictError, Predictor, padded_length


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture(scope="module")
def predictor(bundle):
    return Predictor(bundle)


@pytest.fixture(scope="module")
def texts(bundle):
    """Texts of very different lengths, of known words and unknown, some without any."""
    dice = random.Random(7)  # noqa: S311 - a repeatable mix, not a secret
    words = [*bundle.vocabulary[:500], "zzunknown", "\xe9\u0301", "!!"]
    lengths = [0, 1, 2, 15, 16, 17, 64, 65, 300, 3000] * 6
    made = [" ".join(dice.choices(words, k=length)) for length in lengths]
    dice.shuffle(made)
    return made


def resident_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line[:6] == "VmRSS:")


def test_golden_texts_get_their_answers(bundle, predictor):
    found = predictor.predict([golden.text for golden in bundle.golden])
    assert [item.label for item in found] == [golden.label for golden in bundle.golden]
    expected = [golden.probability for golden in bundle.golden]
    assert [item.probability for item in found] == pytest.approx(expected, abs=1e-5)


def test_an_answer_holds_every_label_in_order(bundle, predictor):
    (found,) = predictor.predict([bundle.golden[0].text])
    assert tuple(found.probabilities) == bundle.labels
    assert math.fsum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert found.probability == max(found.probabilities.values())
    assert found.probabilities[found.label] == found.probability


def test_no_texts_give_no_answers(predictor):
    assert predictor.predict([]) == []


def test_neighbours_in_a_batch_change_nothing(predictor, texts):
    alone = [predictor.predict([text])[0] for text in texts]
    assert predictor.predict(texts) == alone
    assert predictor.predict(texts[::-1]) == alone[::-1]


def calls_of(predictor, texts, monkeypatch):
    """How many texts, and how many ids with padding, each call of LiteRT was given."""
    found, run = [], predict._Runner.run

    def counting(runner, ids, length):
        found.append((len(ids), len(ids) * length))
        return run(runner, ids, length)

    monkeypatch.setattr(predict._Runner, "run", counting)
    predictor.predict(texts)
    return found


def test_short_texts_are_run_together_and_never_more_ids_than_the_longest_text_has(
    bundle, predictor, texts, monkeypatch
):
    calls = calls_of(predictor, ["hello there"] * 64 + texts, monkeypatch)
    assert sum(count for count, _ in calls) == 64 + len(texts)
    assert max(count for count, _ in calls) >= 64
    assert max(ids for _, ids in calls) <= max(predict.IDS_TOGETHER, bundle.tokenizer.max_length)


def test_another_model_than_the_default_one_is_given_texts_one_by_one(bundle, monkeypatch):
    other = dataclasses.replace(bundle, terms=dict.fromkeys(bundle.terms, ""))
    calls = calls_of(Predictor(other), ["hello there"] * 8, monkeypatch)
    assert [count for count, _ in calls] == [1] * 8


def test_padding_changes_nothing(predictor, texts, monkeypatch):
    short = predictor.predict(texts)
    monkeypatch.setattr(predict, "padded_length", lambda _, most: most)
    long = predictor.predict(texts)
    for one, other in zip(short, long, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_threads_share_a_predictor(predictor, texts):
    expected = predictor.predict(texts)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(predictor.predict, [texts] * 40)
        assert all(answers == expected for answers in found)


@pytest.mark.parametrize(
    ("length", "padded"), [(0, 16), (1, 16), (16, 16), (17, 32), (33, 64), (65, 100), (100, 100)]
)
def test_lengths_are_padded_to_few_sizes(length, padded):
    assert padded_length(length, 100) == padded


def test_a_predictor_is_ready_once_it_predicted(bundle):
    predictor = Predictor(bundle)
    assert not predictor.ready
    predictor.warm_up(2)
    assert predictor.ready


def test_any_prediction_makes_ready(bundle):
    predictor = Predictor(bundle)
    predictor.predict(["hello"])
    assert predictor.ready


def test_a_file_that_is_no_model_is_named(bundle, tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    predictor = Predictor(dataclasses.replace(bundle, path=tmp_path))
    with pytest.raises(PredictError, match=r"model\.tflite: LiteRT cannot") as caught:
        predictor.warm_up()
    assert "\n" not in str(caught.value)
    assert not predictor.ready


def test_a_model_of_other_labels_is_refused(bundle):
    predictor = Predictor(dataclasses.replace(bundle, labels=bundle.labels[:-1]))
    with pytest.raises(PredictError, match="labels"):
        predictor.warm_up()


def test_an_answer_that_is_no_number_is_refused(bundle, predictor, monkeypatch):
    values = [math.nan] * len(bundle.labels)
    monkeypatch.setattr(predict._Runner, "run", lambda *_: [values])
    with pytest.raises(PredictError, match="nan"):
        Predictor(bundle).predict(["hello"])
    monkeypatch.undo()
    assert predictor.predict(["hello"])


def test_memory_stays_flat_over_20000_predictions(predictor, texts):
    dice = random.Random(3)  # noqa: S311
    short = [text for text in texts if len(text) < 1000]
    for text in dice.choices(short, k=2_000):
        predictor.predict([text])
    before = resident_kib()
    for text in dice.choices(short, k=18_000):
        predictor.predict([text])
    assert resident_kib() - before < 2_048


def test_a_prediction_takes_less_than_half_a_millisecond(bundle, predictor):
    """About ten times what it takes: work done anew at each call would show."""
    text = " ".join(bundle.vocabulary[:200])
    times = []
    for _ in range(200):
        begun = time.perf_counter()
        predictor.predict([text])
        times.append(time.perf_counter() - begun)
    assert statistics.median(times) < 500e-6
