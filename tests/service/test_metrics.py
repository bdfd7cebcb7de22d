import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving import metrics
from classifier.serving.app import create_app
from prometheus_client.parser import text_string_to_metric_families


@pytest.fixture
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture
def client(bundle_dir, monkeypatch):
    monkeypatch.setattr(metrics, "SECONDS_BETWEEN_SAMPLES", 0)
    app = create_app(Settings(bundle_dir, release_id="r1", workers=3, threads=5))
    client = app.test_client()
    client.environ_base["HTTP_X_REQUEST_START"] = "900000000000.000"  # as Nginx hands over
    return client


def read(client):
    """Return values by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name.removeprefix("frontdesk_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_texts_are_counted_by_label_and_confidence(client, bundle):
    golden = bundle.golden[:5]
    client.post("/v1/classify", json={"texts": [each.text for each in golden], "top": 1})
    found = read(client)
    for label in bundle.labels:
        assert found["texts_total", label] == sum(each.label == label for each in golden)
    assert found["confidence_count",] == 5
    assert found["confidence_sum",] == pytest.approx(
        sum(each.probability for each in golden), abs=1e-4
    )
    assert found["abstentions_total",] == 0


def test_an_abstention_is_counted_beside_its_likeliest_label(client):
    client.post("/v1/classify", json={"text": "the dog", "threshold": 1})
    found = read(client)
    assert found["abstentions_total",] == 1
    assert sum(value for key, value in found.items() if key[0] == "texts_total") == 1


def test_words_and_unknown_ones_are_counted(client):
    client.post("/v1/classify", json={"text": "the dog zzz, QQQ! the"})
    found = read(client)
    assert (found["text_words_sum",], found["text_words_count",]) == (7, 1)
    assert found["unknown_words_total",] == 4  # marks are words, too


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/classify/stream"])
def test_texts_that_did_not_come_through_nginx_are_the_gates_and_do_not_count(client, path):
    kind = "application/x-ndjson" if "stream" in path else "application/json"
    asked = {"data": '{"text": "the dog"}', "content_type": kind}
    assert client.application.test_client().post(path, **asked).status_code == 200
    assert read(client)["confidence_count",] == 0


def test_lines_of_a_stream_are_counted(client):
    data = '{"text": "the dog"}\nnonsense\n{"text": "the soup"}\n'
    client.post("/v1/classify/stream", data=data, content_type="application/x-ndjson")
    assert read(client)["confidence_count",] == 2


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/healthz", "/healthz", "200"),
        ("GET", "/nothing", "none", "404"),
        ("POST", "/v1/classify", "/v1/classify", "415"),
        ("BREW", "/v1/classify", "none", "405"),
    ],
)
def test_requests_are_counted_by_route_and_status(client, method, path, route, status):
    client.open(path, method=method)
    assert read(client)["request_seconds_count", route, status] == 1


def test_time_in_the_queue_counts(client, monkeypatch):
    from classifier.serving import record

    monkeypatch.setattr(record.time, "time", lambda: 1_700_000_002.0)
    client.get("/healthz", headers={"X-Request-Start": "1700000000.000"})
    found = read(client)
    assert found["queue_seconds_total",] == 2
    assert found["request_seconds_sum", "/healthz", "200"] >= 2


def test_what_holds_for_the_service_is_stated(client, bundle):
    found = read(client)
    assert found["info", bundle.model_id, "r1"] == 1
    assert found["threads",] == 15
    for label, share in bundle.statistics["label_mix"].items():
        assert found["expected_label_share", label] == share


def test_texts_like_those_of_the_training_do_not_drift_and_others_do(client, bundle):
    golden = bundle.golden
    client.post("/v1/classify", json={"texts": [each.text for each in golden]})
    alike = read(client)
    for _ in range(30):
        client.post("/v1/classify", json={"texts": ["qq ww ee rr " * 40] * 10})
    other = read(client)
    for kind in ("label_mix", "words", "unknown_words"):
        assert other["drift_score", kind] > max(0.25, alike["drift_score", kind])


def test_nothing_counted_has_no_drift(client):
    assert [key for key in read(client) if key[0] == "drift_score"] == []


@pytest.mark.parametrize(
    ("written", "said"), [('{"not_after": 1800000000}', 1.8e9), ("{", None), (None, None)]
)
def test_the_end_of_the_certificate_is_told_where_it_is_known(bundle_dir, tmp_path, written, said):
    about = tmp_path / "about.json"
    if written:
        about.write_text(written)
    client = create_app(Settings(bundle_dir, certificate_path=about)).test_client()
    assert read(client).get(("certificate_expiry_timestamp_seconds",)) == said
