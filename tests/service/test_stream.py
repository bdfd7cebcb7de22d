import json
from pathlib import Path

import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving import stream
from classifier.serving.app import create_app
from classifier.serving.stream import Streams, read_lines

NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture
def app(bundle_dir):
    return create_app(Settings(bundle_dir, release_id="r1", threads=2, stream_limit_mb=1))


@pytest.fixture
def send(app):
    def send_lines(*lines, end="\n", **options):
        data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        options = {"content_type": NDJSON, "data": (data + end).encode(), **options}
        return app.test_client().post("/v1/classify/stream", buffered=True, **options)

    return send_lines


def answers(response):
    assert response.status_code == 200, response.text
    assert response.mimetype == NDJSON
    return [json.loads(line) for line in response.text.splitlines()]


def test_each_line_is_answered_as_a_single_request_would_be(app, send, bundle):
    texts = [golden.text for golden in bundle.golden]
    alone = app.test_client().post("/v1/classify", json={"texts": texts}).get_json()["results"]
    assert answers(send(*({"text": text} for text in texts))) == alone


def test_lines_keep_their_order_and_their_ids(send):
    ids = ["a", 2, 2.5, True, None, ""]
    found = answers(send(*({"id": each, "text": "the dog"} for each in ids)))
    assert [line["id"] for line in found] == ids


def test_top_and_threshold_hold_for_their_line(send):
    lines = [{"text": "the dog", "top": 1}, {"text": "the dog", "threshold": 1}, {"text": "a"}]
    first, second, third = answers(send(*lines))
    assert len(first["probabilities"]) == 1
    assert (second["label"], second["abstained"]) == (None, True)
    assert (len(third["probabilities"]), third["abstained"]) == (3, False)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nonsense", "not_json"),
        ('{"text": "a"} {}', "not_json"),
        ("[" * 30_000, "nested_too_deeply"),
        ('{"text": "a", "text": "b"}', "duplicate_key"),
        ('{"text": "\\ud800"}', "text_not_unicode"),
        ("[]", "wrong_type"),
        ("{}", "text_missing"),
        ('{"texts": ["a"]}', "unknown_key"),
        ('{"text": "a", "id": {}}', "wrong_type"),
        ('{"text": "' + "x" * 10_001 + '"}', "text_too_long"),
        ('{"text": "' + "x" * 70_000 + '"}', "line_too_long"),
        ('{"text": "' + "x" * 300_000 + '"}', "line_too_long"),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_line_is_refused_on_its_own_line_and_the_stream_goes_on(send, line, code):
    first, second, third = answers(send({"text": "a"}, line, {"text": "b"}))
    assert second["error"]["code"] == code
    assert {"label", "probability"} <= first.keys() & third.keys()


def test_a_refused_line_is_told_by_its_id(send):
    (found,) = answers(send({"id": 7, "text": ""}))
    assert (found["id"], found["error"]["code"]) == (7, "text_empty")


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n", "\r\n"])
def test_the_last_line_needs_no_end_and_empty_lines_are_none(send, end):
    assert len(answers(send({"text": "a"}, "", " ", {"text": "b"}, end=end))) == 2


def test_a_stream_without_lines_is_answered_without_lines(send):
    assert answers(send(end="")) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_lines_are_found_wherever_the_pieces_are_cut(size):
    data = b"one\n\ntwo\n" + b"x" * 30 + b"\nthree\n" + b"y" * 21 + b"\n" + b"z" * 40
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    assert list(read_lines(pieces, 20)) == [b"one", b"two", None, b"three", None, None][:6]


def test_a_body_that_ends_early_is_refused(send):
    response = send({"text": "a"}, environ_overrides={"CONTENT_LENGTH": "100"})
    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == "body_unreadable"


def test_another_content_type_is_refused(send):
    response = send({"text": "a"}, content_type="application/json")
    assert response.status_code == 415
    assert NDJSON in response.get_json()["error"]["message"]


def test_answers_beyond_the_limit_are_refused(send):
    response = send(*[{"text": "a", "id": "x" * 1000}] * 1200)
    assert response.status_code == 413
    assert response.get_json()["error"]["code"] == "stream_too_large"


def test_a_disk_that_takes_no_answers_is_told_of(send, monkeypatch):
    monkeypatch.setattr(stream, "_FOLDER", "/dev/full")
    response = send({"text": "a"})
    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "stream_not_kept"


def test_more_streams_than_have_a_place_are_refused_and_the_place_comes_back(app, send):
    held = app.extensions["serving"].streams.place()
    response = send({"text": "a"})
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    held.close()
    for _ in range(3):
        assert len(answers(send({"text": "a"}))) == 1
        assert send("x", content_type="text/plain").status_code == 415


@pytest.mark.parametrize(("threads", "places"), [(1, 1), (2, 1), (4, 2), (9, 4)])
def test_streams_leave_half_of_the_threads_to_others(threads, places):
    streams = Streams(threads)
    held = [streams.place() for _ in range(places)]
    with pytest.raises(Exception, match="as many streams"):
        streams.place()
    assert len(held) == places


def test_no_file_stays_open(app, send):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        send({"text": "a"}, "nonsense")
        send({"text": "a"}, environ_overrides={"CONTENT_LENGTH": "100"})
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
