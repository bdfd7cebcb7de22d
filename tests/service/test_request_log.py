import json

import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving import record
from classifier.serving.app import create_app

NOW = 1_700_000_000.5


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture
def log(bundle_dir, tmp_path):
    """Send requests and return what the log says of them: log(client -> anything, **settings)."""

    def send(requests, **settings):
        path = tmp_path / "requests.log"
        made = Settings(bundle_dir, release_id="r1", request_log_path=path, **settings)
        requests(create_app(made).test_client())
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]]

    return send


def classify(client, headers=None, **body):
    return client.post("/v1/classify", json=body, headers=headers)


def test_a_line_says_who_answered_what_and_how_long_it_took(log, bundle):
    golden = bundle.golden[0]
    (line,) = log(lambda client: classify(client, {"X-Request-ID": "i1"}, text=golden.text))
    assert list(line) == [
        *("time", "request_id", "method", "route", "status", "seconds", "queue_seconds"),
        *("model_seconds", "texts", "label", "confidence", "release_id", "model_id"),
    ]
    assert line["request_id"] == "i1"
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/classify", 200)
    assert (line["release_id"], line["model_id"]) == ("r1", bundle.model_id)
    assert (line["texts"], line["label"]) == (1, golden.label)
    assert line["confidence"] == pytest.approx(golden.probability, abs=1e-5)
    assert 0 < line["model_seconds"] < line["seconds"] < 5


def test_a_batch_is_one_line_with_all_its_labels(log):
    (line,) = log(lambda client: classify(client, texts=["the dog", "the soup"], threshold=1))
    assert (line["texts"], line["labels"]) == (2, [None, None])
    assert len(line["confidences"]) == 2


@pytest.mark.parametrize("log_texts", [False, True])
def test_an_explanation_is_told_like_an_answer(log, bundle, log_texts):
    golden, label = bundle.golden[0], bundle.labels[-1]

    def send(client):
        client.post("/v1/explain", json={"text": golden.text, "label": label})

    (line,) = log(send, log_texts=log_texts)
    assert (line["route"], line["label"]) == ("/v1/explain", label)
    assert 0 <= line["confidence"] <= 1
    assert 0 < line["model_seconds"] < line["seconds"]
    assert line.get("sent") == ([golden.text] if log_texts else None)


def test_each_request_is_one_line_refusals_too(log):
    def send(client):
        client.get("/healthz")
        client.post("/v1/classify", data="nonsense")
        client.get("/nothing")

    found = [(line["route"], line["status"], line.get("error")) for line in log(send)]
    assert found == [
        ("/healthz", 200, None),
        ("/v1/classify", 415, "unsupported_media_type"),
        (None, 404, "not_found"),
    ]


def test_the_text_is_not_in_the_log(log):
    assert "dog" not in str(log(lambda client: classify(client, text="the dog")))


def test_the_text_is_in_the_log_where_it_is_switched_on(log):
    (line,) = log(lambda client: classify(client, text="a dog\n\x00\U0001f600"), log_texts=True)
    assert line["sent"] == ["a dog\n\x00\U0001f600"]


@pytest.mark.parametrize(
    "requests",
    [
        lambda client: client.get('/%0a{"status":200}'),
        lambda client: client.get("/healthz?%0a{}"),
        lambda client: client.get("/healthz", headers={"X-Request-ID": 'a"b'}),
        lambda client: client.get("/healthz", headers={"User-Agent": "a\x85b\u2028"}),
        lambda client: client.open("/healthz", method='GET\n{"x":1}'),
        lambda client: classify(client, text='\n{"status": 500}\n'),
        lambda client: client.post("/v1/classify", json={'\n{"a": 1}': "b"}),
    ],
)
@pytest.mark.parametrize("log_texts", [False, True])
def test_nothing_that_a_client_sends_makes_a_line(log, requests, log_texts):
    (line,) = log(requests, log_texts=log_texts)
    assert line["release_id"] == "r1"


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("1700000000.250", 0.25),
        ("1700000000.500", 0),
        ("1700000009.000", 0),  # a clock that was set back
        ("1699913600.500", 0),  # one that was set a day forward
        ("nan", 0),
        ("-1.000", 0),
        ("", 0),
        ("\u0661.000", 0),
    ],
)
def test_time_in_the_queue_begins_with_what_nginx_says(log, monkeypatch, moment, seconds):
    monkeypatch.setattr(record.time, "time", lambda: NOW)
    headers = {"X-Request-Start": moment.encode().decode("latin-1")}
    (line,) = log(lambda client: client.get("/healthz", headers=headers))
    assert line["queue_seconds"] == seconds


def test_without_a_path_the_log_goes_to_standard_error(bundle_dir, capfd):
    create_app(Settings(bundle_dir, release_id="r1")).test_client().get("/healthz")
    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["route"] == "/healthz"


def test_a_log_that_cannot_be_written_stops_no_request(bundle_dir, tmp_path, capfd):
    settings = Settings(bundle_dir, request_log_path=tmp_path / "nowhere/log")
    client = create_app(settings).test_client()
    assert [client.get("/healthz").status_code for _ in range(3)] == [200] * 3
    assert capfd.readouterr().err.count("request log cannot be written") == 1  # not one a request
