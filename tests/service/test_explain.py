import dataclasses
import math

import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving.app import create_app
from classifier.serving.errors import ApiError
from classifier.serving.explain import explain, find_words
from classifier.serving.predict import Predictor
from classifier.serving.tokenizer import split_words
from hypothesis import given
from hypothesis import strategies as some

TEXT = "The dog's soup, (snow): the fog !! tastes of garlic."


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture(scope="module")
def predictor(bundle):
    return Predictor(bundle)


@pytest.fixture(scope="module")
def client(bundle_dir):
    return create_app(Settings(bundle_dir, release_id="r1")).test_client()


def log_odds(predictor, text, label):
    (prediction,) = predictor.predict([text])
    return math.log(prediction.probabilities[label] / (1 - prediction.probabilities[label]))


@pytest.fixture(scope="module")
def other_bundle(bundle):
    """The same model, of which nobody knows that its score is a sum."""
    return dataclasses.replace(bundle, terms=dict.fromkeys(bundle.terms, ""))


@pytest.fixture(scope="module")
def other_predictor(other_bundle):
    return Predictor(other_bundle)


@given(some.text(some.sampled_from("aB\u00e4\U0001f600.,'- \t\n\v\u00a0\u2028\x1c"), max_size=40))
def test_words_are_those_of_the_tokenizer(text):
    alone = [split_words(word.word) for word in find_words(text)]
    assert [words[0] for words in alone] == split_words(text)
    assert {len(words) for words in alone} <= {1}


def test_words_stand_where_they_are_said_to():
    words = list(find_words("\U0001f600 Hello, (w\u00f6rld)!"))
    assert [word for word in words if len(word.word) > 1] == [
        ("Hello", 2, 7),
        ("w\u00f6rld", 10, 15),
    ]
    assert [(word.word, word.start) for word in words if len(word.word) == 1] == [
        ("\U0001f600", 0), (",", 7), ("(", 9), (")", 15), ("!", 16)
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["animals", "food", "weather"])
def test_what_words_add_is_the_score_whose_softmax_is_the_probability(bundle, predictor, label):
    found = explain(predictor, bundle, TEXT, label, 30)
    assert (found["label"], found["method"]) == (label, "additive")
    total = found["bias"] + sum(word["weight"] for word in found["words"])
    assert total == pytest.approx(found["score"], abs=1e-4)
    scores = {name: explain(predictor, bundle, TEXT, name, 30)["score"] for name in bundle.labels}
    share = math.exp(found["score"]) / sum(map(math.exp, scores.values()))
    (prediction,) = predictor.predict([TEXT])
    assert share == pytest.approx(prediction.probabilities[label], abs=1e-4)
    assert found["probability"] == pytest.approx(share, abs=1e-4)


def test_words_of_a_label_speak_for_it(bundle, predictor):
    words = explain(predictor, bundle, "soup, snow and a parrot", "food", 30)["words"]
    weights = {word["word"]: word["weight"] for word in words}
    assert max(weights, key=weights.get) == "soup"
    assert weights["snow"] < 0 > weights["parrot"]


def test_an_explanation_adds_up_and_is_what_taking_words_away_does(other_bundle, other_predictor):
    bundle, predictor = other_bundle, other_predictor
    found = explain(predictor, bundle, TEXT, "food", 30)
    assert (found["label"], found["method"]) == ("food", "occlusion")
    assert found["score"] == pytest.approx(log_odds(predictor, TEXT, "food"))
    total = found["bias"] + sum(word["weight"] for word in found["words"])
    assert total == pytest.approx(found["score"])
    for word in found["words"]:
        without = TEXT[: word["start"]] + TEXT[word["end"] :]
        moved = found["score"] - log_odds(predictor, without, "food")
        assert word["weight"] == pytest.approx(moved, abs=1e-6)


def test_words_beyond_the_models_reach_weigh_nothing(other_bundle):
    most = 20
    settings = dataclasses.replace(other_bundle.tokenizer, kind="sequence", max_length=most)
    bundle = dataclasses.replace(other_bundle, tokenizer=settings)
    words = explain(Predictor(bundle), bundle, "a " * (most + 5), None, 30)["words"]
    assert len(words) == most + 5
    assert [word["weight"] for word in words[most:]] == [0] * 5


def test_an_explanation_that_takes_too_long_is_given_up(other_bundle, other_predictor):
    with pytest.raises(ApiError, match="more than 0 seconds") as caught:
        explain(other_predictor, other_bundle, TEXT, "food", 0)
    assert caught.value.status == 503


def test_the_likeliest_label_is_explained_where_none_is_asked_for(client, bundle):
    golden = bundle.golden[0]
    response = client.post("/v1/explain", json={"text": golden.text})
    body = response.get_json()
    assert body.keys() == {"label", "probability", "score", "bias", "words", "method",
                           "model_id", "release_id", "request_id"}  # fmt: skip
    assert body["label"] == golden.label
    assert body["probability"] == pytest.approx(golden.probability, abs=1e-5)
    first = body["words"][0]
    assert golden.text[first["start"] : first["end"]] == first["word"]
    assert body["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("body", "code", "shown"),
    [
        ({}, "text_missing", "send text"),
        ({"text": ""}, "text_empty", "text is empty"),
        ({"text": 1}, "wrong_type", "text is a number"),
        ({"text": "a", "label": "fish"}, "unknown_label", "'fish'"),
        ({"text": "a", "label": None}, "wrong_type", "label is null"),
        ({"text": "a", "texts": ["b"]}, "unknown_key", "'texts'"),
        (["a"], "wrong_type", "the body is a list"),
    ],
    ids=str,
)
def test_a_bad_question_is_refused(client, body, code, shown):
    response = client.post("/v1/explain", json=body)
    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == code
    assert shown in response.get_json()["error"]["message"]


def test_a_text_of_unknown_marks_alone_has_a_bias_and_words_of_no_weight(client):
    body = client.post("/v1/explain", json={"text": "\u2603!!"}).get_json()
    assert [(word["word"], word["weight"]) for word in body["words"]] == [
        ("\u2603", 0), ("!", 0), ("!", 0)
    ]  # fmt: skip
    assert body["bias"] == body["score"]
