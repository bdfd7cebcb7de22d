import math

import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving.app import create_app
from classifier.serving.errors import ApiError
from classifier.serving.explain import explain, find_words
from classifier.serving.predict import Predictor
from classifier.serving.tokenizer import Tokenizer
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


@given(some.text(some.sampled_from("aB\u00e4\U0001f600.,'- \t\n\v\u00a0\u2028\x1c"), max_size=40))
def test_words_are_those_of_the_tokenizer(text):
    tokenizer = Tokenizer(("x",), 1, 1000)
    alone = [tokenizer.words(word.word) for word in find_words(text)]
    assert [words[0] for words in alone] == tokenizer.words(text)
    assert {len(words) for words in alone} <= {1}


def test_words_stand_where_they_are_said_to():
    words = list(find_words("\U0001f600 Hello, (w\u00f6rld)!"))
    assert words == [("\U0001f600", 0, 1), ("Hello", 2, 7), ("w\u00f6rld", 10, 15)]


def test_an_explanation_adds_up_and_is_what_taking_words_away_does(bundle, predictor):
    found = explain(predictor, bundle, TEXT, "food", 30)
    assert found["label"] == "food"
    assert found["score"] == pytest.approx(log_odds(predictor, TEXT, "food"))
    total = found["bias"] + sum(word["weight"] for word in found["words"])
    assert total == pytest.approx(found["score"])
    for word in found["words"]:
        without = TEXT[: word["start"]] + TEXT[word["end"] :]
        moved = found["score"] - log_odds(predictor, without, "food")
        assert word["weight"] == pytest.approx(moved, abs=1e-6)


def test_words_beyond_the_models_reach_weigh_nothing(bundle, predictor):
    most = bundle.tokenizer.max_length
    words = explain(predictor, bundle, "a " * (most + 5), None, 30)["words"]
    assert len(words) == most + 5
    assert [word["weight"] for word in words[most:]] == [0] * 5


def test_an_explanation_that_takes_too_long_is_given_up(bundle, predictor):
    with pytest.raises(ApiError, match="more than 0 seconds") as caught:
        explain(predictor, bundle, TEXT, "food", 0)
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


def test_a_text_without_words_has_a_bias_alone(client):
    body = client.post("/v1/explain", json={"text": "!!!"}).get_json()
    assert body["words"] == []
    assert body["bias"] == body["score"]
