import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving.app import create_app

SERVICE_DIR = Path(__file__).parents[2] / "service"
BODY_LIMIT = 65_536


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture(scope="module")
def app(bundle_dir):
    settings = Settings(bundle_dir, release_id="r1", body_limit_bytes=BODY_LIMIT)
    return create_app(settings)


@pytest.fixture
def client(app):
    return app.test_client()


def classify(client, body: str | bytes, content_type: str | None = "application/json", **options):
    return client.post("/v1/classify", data=body, content_type=content_type, **options)


def assert_error(response, status: int, code: str) -> str:
    """Check the shape that all errors share, and return the message."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert body.keys() == {"error", "request_id"}
    assert body["error"].keys() == {"code", "message"}
    assert body["error"]["code"] == code
    assert body["request_id"] == response.headers["X-Request-ID"]
    message = body["error"]["message"]
    assert message
    assert "\n" not in message
    assert len(message) < 300
    return message


def test_one_text_is_classified(client, bundle):
    golden = bundle.golden[0]
    response = client.post("/v1/classify", json={"text": golden.text})
    assert response.status_code == 200
    body = response.get_json()
    assert body.keys() == {"results", "model_id", "release_id", "request_id"}
    assert (body["model_id"], body["release_id"]) == (bundle.model_id, "r1")
    assert body["request_id"] == response.headers["X-Request-ID"]
    (result,) = body["results"]
    assert result.keys() == {"label", "abstained", "probability", "probabilities"}
    assert (result["label"], result["abstained"]) == (golden.label, False)
    assert result["probability"] == pytest.approx(golden.probability, abs=1e-5)
    assert set(result["probabilities"]) == set(bundle.labels)
    assert result["probabilities"][golden.label] == result["probability"]


def test_the_likeliest_labels_come_first(client, bundle):
    (result,) = client.post("/v1/classify", json={"text": "the dog"}).get_json()["results"]
    values = list(result["probabilities"].values())
    assert values == sorted(values, reverse=True)
    assert next(iter(result["probabilities"])) == result["label"]


@pytest.mark.parametrize(("top", "shown"), [(1, 1), (2, 2), (2.0, 2), (3, 3), (10**30, 3)])
def test_no_more_than_the_top_labels_are_listed(client, top, shown):
    whole, cut = (
        client.post("/v1/classify", json={"text": "the dog", **more}).get_json()["results"][0]
        for more in ({}, {"top": top})
    )
    first = list(whole["probabilities"].items())[:shown]
    assert list(cut["probabilities"].items()) == first
    assert cut["label"] == whole["label"]


def test_below_the_threshold_the_answer_is_an_abstention(client):
    (result,) = client.post("/v1/classify", json={"text": "the dog"}).get_json()["results"]
    asked = {"text": "the dog", "threshold": 1}
    (abstention,) = client.post("/v1/classify", json=asked).get_json()["results"]
    assert abstention == {**result, "label": None, "abstained": True}


def test_a_probability_at_the_threshold_is_no_abstention(client, app):
    (prediction,) = app.extensions["serving"].predictor.predict(["the dog"])
    asked = {"text": "the dog", "threshold": prediction.probability}
    (result,) = client.post("/v1/classify", json=asked).get_json()["results"]
    assert not result["abstained"]


@pytest.mark.parametrize(("asked", "abstained"), [({}, True), ({"threshold": 0}, False)])
def test_the_threshold_of_the_settings_holds_where_none_is_asked_for(bundle_dir, asked, abstained):
    client = create_app(Settings(bundle_dir, threshold=1.0)).test_client()
    answer = client.post("/v1/classify", json={"text": "the dog", **asked}).get_json()
    assert answer["results"][0]["abstained"] is abstained


def test_a_list_of_texts_is_classified_in_order(client, bundle):
    texts = [golden.text for golden in bundle.golden]
    results = client.post("/v1/classify", json={"texts": texts}).get_json()["results"]
    assert [result["label"] for result in results] == [golden.label for golden in bundle.golden]


def test_as_many_texts_as_the_limit_are_classified(client, bundle):
    texts = ["hello"] * bundle.limits.batch_texts
    results = client.post("/v1/classify", json={"texts": texts}).get_json()["results"]
    assert len(results) == bundle.limits.batch_texts


@pytest.mark.parametrize(
    "text",
    ["\0", "!!!", "\u202e", "\U0001f600" * 1_000, "\xe4" * 10_000, "a\u0301", "\ufeffhello", "x\n"],
    ids=ascii,
)
def test_a_strange_text_is_still_a_text(client, text):
    body = json.dumps({"text": text}, ensure_ascii=False).encode()
    assert classify(client, body).status_code == 200


def test_a_text_at_the_limit_is_classified(client, bundle):
    text = "x" * bundle.limits.text_chars
    assert client.post("/v1/classify", json={"text": text}).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "shown"),
    [
        # not JSON
        ("", "not_json", "line 1 column 1"),
        ("hello", "not_json", "line 1 column 1"),
        ('{"text": "a"', "not_json", "line 1 column 13"),
        ('{"text": "a"} {}', "not_json", "Extra data"),
        ("{'text': 'a'}", "not_json", "line 1 column 2"),
        ('{"text": "a\nb"}', "not_json", "control character"),
        ('{"text": NaN}', "not_json", "NaN"),
        ('{"text": -Infinity}', "not_json", "-Infinity"),
        ('{"text": ' + "9" * 5_000 + "}", "not_json", "number"),
        ("\ufeff{}", "not_json", "BOM"),
        (b'{"text": "\xff"}', "not_utf8", "byte 10"),
        ('{"text": "a"}'.encode("utf-16"), "not_utf8", "byte 0"),
        ("[" * 30_000, "nested_too_deeply", "nested"),
        ('{"text": ' + "[" * 20_000 + "]" * 20_000 + "}", "nested_too_deeply", "nested"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested_too_deeply", "nested"),
        # JSON of another shape
        ("[]", "wrong_type", "the body is a list"),
        ('"text"', "wrong_type", "the body is a string"),
        ("null", "wrong_type", "the body is null"),
        ("1e999", "wrong_type", "the body is a number"),
        ("{}", "text_missing", "neither"),
        ('{"text": "a", "texts": ["b"]}', "text_and_texts", "both"),
        ('{"text": null}', "wrong_type", "text is null"),
        ('{"text": 1}', "wrong_type", "text is a number"),
        ('{"text": true}', "wrong_type", "text is a boolean"),
        ('{"text": ["a"]}', "wrong_type", "text is a list"),
        ('{"text": {"a": "b"}}', "wrong_type", "text is an object"),
        ('{"texts": "a"}', "wrong_type", "texts is a string"),
        ('{"texts": {"0": "a"}}', "wrong_type", "texts is an object"),
        ('{"texts": ["a", 1.5]}', "wrong_type", "texts[1] is a number"),
        ('{"texts": ["a", ["b"]]}', "wrong_type", "texts[1] is a list"),
        ('{"texts": []}', "texts_empty", "at least one"),
        ('{"text": "a", "text": "b"}', "duplicate_key", "'text'"),
        ('{"text": "a", "x": {"y": 1, "y": 2}}', "duplicate_key", "'y'"),
        ('{"text": "a", "Text": "b"}', "unknown_key", "'Text'"),
        ('{"text": "a", "line\\nbreak": 1}', "unknown_key", "'line\\nbreak'"),
        ('{"text": "a", "\\ud800": 1}', "unknown_key", "ud800"),
        ('{"text": "a", "' + "k" * 9_000 + '": 1}', "unknown_key", "kkk..."),
        ('{"text": "a", "top": 0}', "top_out_of_range", "top is '0'"),
        ('{"text": "a", "top": -1}', "top_out_of_range", "whole number from 1"),
        ('{"text": "a", "top": 1.5}', "top_out_of_range", "top is '1.5'"),
        ('{"text": "a", "top": 1e999}', "top_out_of_range", "top is 'inf'"),
        ('{"text": "a", "top": true}', "wrong_type", "top is a boolean"),
        ('{"text": "a", "top": "2"}', "wrong_type", "top is a string"),
        ('{"text": "a", "top": null}', "wrong_type", "top is null"),
        ('{"text": "a", "threshold": 1.01}', "threshold_out_of_range", "from 0 to 1"),
        ('{"text": "a", "threshold": -1e-9}', "threshold_out_of_range", "'-1e-09'"),
        ('{"text": "a", "threshold": -1e999}', "threshold_out_of_range", "'-inf'"),
        ('{"text": "a", "threshold": ' + "9" * 4_000 + "}", "threshold_out_of_range", "999..."),
        ('{"text": "a", "threshold": "0.5"}', "wrong_type", "threshold is a string"),
        # texts that are refused
        ('{"text": ""}', "text_empty", "text is empty"),
        ('{"text": " \\t\\n\\u00a0\\u3000"}', "text_empty", "text is empty"),
        ('{"texts": ["a", ""]}', "text_empty", "texts[1] is empty"),
        ('{"text": "\\ud800"}', "text_not_unicode", "U+D800 at character 0"),
        ('{"texts": ["ok", "ab\\udfff"]}', "text_not_unicode", "texts[1]"),
        ('{"text": "' + "x" * 10_001 + '"}', "text_too_long", "10001"),
        ('{"texts": ["a", "' + "\xe4" * 10_001 + '"]}', "text_too_long", "texts[1] has 10001"),
        ('{"texts": [' + ",".join(['"a"'] * 65) + "]}", "too_many_texts", "65"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_bad_body_is_refused_with_400(client, body, code, shown):
    assert shown in assert_error(classify(client, body), 400, code)


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        (None, "''"),
        ("text/plain", "'text/plain'"),
        ("application/x-www-form-urlencoded", "form"),
        ("multipart/form-data; boundary=x", "multipart"),
        ("application/json; charset=latin-1", "latin-1"),
        ("application/json; charset=utf-16", "utf-16"),
        ("application/jsonp", "jsonp"),
        ("x" * 4_000, "xxx..."),
    ],
)
def test_another_content_type_is_refused_with_415(client, content_type, shown):
    response = classify(client, '{"text": "a"}', content_type)
    message = assert_error(response, 415, "unsupported_media_type")
    assert shown in message
    assert "application/json" in message


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"']
)
def test_json_in_utf8_is_accepted(client, content_type):
    assert classify(client, '{"text": "a"}', content_type).status_code == 200


def test_a_compressed_body_is_refused_with_415(client):
    response = classify(client, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert "gzip" in assert_error(response, 415, "unsupported_encoding")


def test_a_body_at_the_limit_is_read(client):
    body = '{"text": "a"}'.ljust(BODY_LIMIT)
    assert classify(client, body).status_code == 200


def test_a_body_over_the_limit_is_refused_with_413(client):
    body = '{"text": "a"}'.ljust(BODY_LIMIT + 1)
    assert str(BODY_LIMIT) in assert_error(classify(client, body), 413, "body_too_large")


def test_a_body_of_unknown_length_over_the_limit_is_refused_with_413(client):
    response = client.post(
        "/v1/classify",
        input_stream=BytesIO(b" " * (BODY_LIMIT + 1)),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert_error(response, 413, "body_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/healthz/", 404, "not_found"),
        ("GET", "/v1//model", 404, "not_found"),
        ("GET", "/%00%ff/\u00e4", 404, "not_found"),
        ("GET", "/static/app.js", 404, "not_found"),
        ("GET", "/" + "x" * 3_000, 404, "not_found"),
        ("GET", "/v1/classify", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/classify", 405, "method_not_allowed"),
        ("TRACE", "/v1/classify", 405, "method_not_allowed"),
        ("BREW", "/v1/classify", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("DELETE", "/v1/model", 405, "method_not_allowed"),
    ],
)
def test_a_wrong_address_or_method_is_refused_in_json(client, method, path, status, code):
    assert_error(client.open(path, method=method), status, code)


def test_a_wrong_method_is_told_the_right_one(client):
    response = client.get("/v1/classify")
    assert response.headers["Allow"] == "POST"
    assert "use POST" in response.get_json()["error"]["message"]


@pytest.mark.parametrize("host", ["", "[", "a b", "x" * 300, "a:b:c", "\xe4", "..", "a:99999999"])
def test_a_strange_host_header_harms_nothing(client, host):
    response = client.get("/healthz", headers={"Host": host})
    assert response.status_code in (200, 400)
    assert response.mimetype == "application/json"


@pytest.mark.parametrize("given", ["abc", "A-1_b.C", "x" * 64])
def test_a_request_id_is_echoed(client, given):
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "\xe4", '"', "a\tb", "\u0660"])
def test_a_missing_or_strange_request_id_is_replaced(client, given):
    headers = {} if given is None else {"X-Request-ID": given.encode().decode("latin-1")}
    found = client.get("/healthz", headers=headers).headers["X-Request-ID"]
    assert len(found) == 16
    assert int(found, 16) >= 0


def test_made_request_ids_differ(client):
    found = {client.get("/healthz").headers["X-Request-ID"] for _ in range(100)}
    assert len(found) == 100


def test_health_says_only_that_the_process_lives(client):
    response = client.get("/healthz", headers={"X-Request-ID": "i1"})
    assert response.status_code == 200
    assert response.get_json() == {"status": "ok", "request_id": "i1"}
    assert "X-Worker" not in response.headers


def test_readiness_comes_with_the_first_prediction(bundle_dir, bundle):
    client = create_app(Settings(bundle_dir, release_id="r2", workers=3)).test_client()
    assert_error(client.get("/readyz"), 503, "not_ready")
    client.post("/v1/classify", json={"text": "hello"})
    response = client.get("/readyz", headers={"X-Request-ID": "i1"})
    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ready",
        "model_id": bundle.model_id,
        "release_id": "r2",
        "request_id": "i1",
        "workers": 3,
    }
    assert int(response.headers["X-Worker"]) > 0


def test_the_model_card_is_shown_without_golden_texts(client, bundle):
    card = client.get("/v1/model").get_json()
    expected = {"model_id", "release_id", "labels", "limits", "metrics", "created"}
    assert expected | {"tokenizer", "training"} <= card.keys()
    assert card["labels"] == list(bundle.labels)
    assert card["metrics"] == bundle.metrics
    assert (card["model_id"], card["release_id"]) == (bundle.model_id, "r1")
    assert not {"golden", "files"} & card.keys()


def test_json_is_compact_and_not_escaped(client):
    response = client.get("/v1/\u00e4\u65e5")
    assert "\u00e4\u65e5" in response.get_data().decode("utf-8")
    assert b'": ' not in response.get_data()


def test_a_failure_inside_tells_the_log_and_not_the_client(client, app, caplog, monkeypatch):
    def fail(_texts):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(app.extensions["serving"].predictor, "predict", fail)
    response = client.post("/v1/classify", json={"text": "a"}, headers={"X-Request-ID": "id-7"})
    assert "secret" not in assert_error(response, 500, "internal_error")
    assert "id-7" in caplog.text
    assert "secret detail" in caplog.text


def test_the_application_loads_no_tensorflow():
    program = (
        "import sys, classifier.serving.app, classifier.serving.gate;"
        "print([name for name in ('tensorflow', 'keras', 'classifier.training')"
        " if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=SERVICE_DIR, check=True, capture_output=True, text=True
    )
    assert found.stdout == "[]\n"
