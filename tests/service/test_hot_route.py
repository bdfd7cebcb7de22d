"""The hot route may only give the very bytes that the full path gives."""

import json
import re
import socket
import time

import pytest
from classifier.config import Settings
from classifier.serving.app import create_app
from classifier.serving.hot_route import HotRoute
from gunicorn import http
from gunicorn.config import Config
from gunicorn.http import wsgi
from hypothesis import example, given, settings
from hypothesis import strategies as st

CHANGING = re.compile(
    rb"(?<=\r\nDate: )[^\r]+|(?<=\r\nX-Request-ID: )[0-9a-f]{16}(?=\r)"
    rb'|(?<="request_id":")[0-9a-f]{16}(?=")'
)
FIELDS = {
    b"Host": b"example.org",
    b"Connection": b"close",
    b"X-Request-ID": b"id-7",
    b"X-Request-Start": b"%.3f" % (time.time() - 1),
    b"X-Forwarded-For": b"192.0.2.1",
    b"X-Forwarded-Proto": b"http",
    b"Accept": b"*/*",
    b"User-Agent": b"curl/8.0",
    b"Content-Type": b"application/json",
}
ODD_LINES = (
    b"Content-Length: 5", b"Content-Length: +5", b"Content-Length : 5", b"Content-Length: 5, 5",
    b"Transfer-Encoding: chunked", b"transfer-encoding: identity", b"Content-Encoding: gzip",
    b"Expect: 100-continue", b"Expect: else", b"Host: other", b"Host: [", b"Host: a:99999",
    b"Host: -", b"Host: a..b", b"Connection: keep-alive", b"Connection: Close",
    b"Connection: close, x", b"Content-Type: text/plain", b"Content-Type: Application/JSON",
    b"Content-Type: application/json; charset=utf-16", b"X-Request-ID: a b", b"X-Request-ID:",
    b"X-Request-ID: \xff", b"X_Request_ID: x", b"X-Request-Start: soon",
    b"X-Forwarded-Proto: https", b" folded",
    b"X: a\0b", b"X: a\rb", b"X: a\nb", b": empty", b"Upgrade: h2c", b"Script-Name: /v1",
    b"SCRIPT_NAME: /v1", b"Accept: " + b"a" * 3_000, b"Accept:  two  spaces ", b"no colon",
    b"Trailer: Host", b"TE: trailers", b"Forwarded: for=1", b"Accept: \t", b"User-Agent: ",
)  # fmt: skip
ODD_BODIES = (
    b"", b"{}", b"[]", b"null", b"hello", b'{"text": "a"', b'{"text": "a"} {}', b'{"text": ""}',
    b'{"text": NaN}', b'{"text": "a", "text": "b"}', b'{"text": 1}', b'{"text": "\xff"}',
    b'{"text": "\\ud800"}', b'\xef\xbb\xbf{"text": "a"}', b'{"texts": ["a"]}', b'{"texts": []}',
    b'{"texts": ["a", "b"]}', b'{"text": "a", "x": 1}', b"[" * 5_000, b'{"text": "a"}\n',
    b'{"text": "a", "top": 1}', b'{"text": "a", "top": 0}', b'{"text": "a", "top": 1e400}',
    b'{"text": "a", "threshold": 1}', b'{"text": "a", "threshold": 0.9999}',
    b'{"text": "a", "threshold": -1}', b'{"text": "a", "top": true}', b'{"text": "' + b"x" * 10_001,
    b'{"text": ' + b"9" * 5_000 + b"}", b'{"text": "a"}'.ljust(70_000),
)  # fmt: skip


def raw(body: bytes, fields: dict[bytes, bytes] = FIELDS, lines=(), line=None) -> bytes:
    """Return a request as Nginx sends it, with `lines` more in its head."""
    line = line or b"POST /v1/classify HTTP/1.1"
    length = b"Content-Length: %d" % len(body)
    head = [line, *(b"%b: %b" % pair for pair in fields.items()), length, *lines, b"\r\n"]
    return b"\r\n".join(head) + body


@pytest.fixture(scope="module")
def app(bundle_dir):
    return create_app(Settings(bundle_dir, release_id="r1"))


@pytest.fixture(scope="module")
def hot(app):
    app.extensions["serving"].predictor.warm_up()
    return HotRoute(app.extensions["serving"])


def full_path(app, request: bytes) -> tuple[bytes, bytes]:
    """Return what Gunicorn and the application answer, and what of the request is left over."""
    config = Config()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        theirs.sendall(request)
        theirs.shutdown(socket.SHUT_WR)
        parser = http.get_parser(config, ours, b"")
        parsed = next(parser)
        response, environ = wsgi.create(parsed, ours, b"", "/run/http.sock", config)
        for item in app(environ, response.start_response):
            response.write(item)
        response.close()
        left = parser.unreader.read()
        ours.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: theirs.recv(65_536), b"")), left


def assert_same(app, hot, request: bytes) -> None:
    """Compare both answers if the hot route gives one."""
    answered = hot.answer(request)
    if answered is None:
        return
    answer, is_last = answered
    expected, left = full_path(app, request)
    assert CHANGING.sub(b"?", answer) == CHANGING.sub(b"?", expected)
    assert left == b""
    assert is_last == (b"\r\nConnection: close\r\n" in expected)


@pytest.mark.parametrize("without", [None, b"Connection", b"X-Request-ID", b"Accept"])
@pytest.mark.parametrize("body", [b'{"text": "The dog eats hay"}', b'{"top":2,"text":"\xc3\xa4"}'])
def test_what_nginx_sends_is_answered_as_the_full_path_answers(app, hot, body, without):
    fields = {name: value for name, value in FIELDS.items() if name != without}
    assert hot.answer(raw(body, fields)) is not None
    assert_same(app, hot, raw(body, fields))


def test_the_answer_carries_the_request_id_and_the_date(app, hot):
    answer, _ = hot.answer(raw(b'{"text": "a"}'))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nX-Request-ID: id-7\r\n" in head
    assert json.loads(body)["request_id"] == "id-7"
    assert re.search(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", head)


@given(text=st.text(min_size=1), ascii_only=st.booleans(), more=st.booleans())
@settings(deadline=None, max_examples=100)
def test_any_text_gets_the_same_answer(app, hot, text, ascii_only, more):
    question = {"text": text, "top": 2, "threshold": 0.5} if more else {"text": text}
    body = json.dumps(question, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert_same(app, hot, raw(body))


@given(
    body=st.sampled_from((b'{"text": "snow at noon"}', *ODD_BODIES)),
    lines=st.lists(st.sampled_from(ODD_LINES), max_size=2),
    dropped=st.sets(st.sampled_from(sorted(FIELDS)), max_size=2),
)
@settings(deadline=None, max_examples=500)
def test_an_odd_request_is_answered_the_same_or_not_at_all(app, hot, body, lines, dropped):
    fields = {name: value for name, value in FIELDS.items() if name not in dropped}
    assert_same(app, hot, raw(body, fields, lines))


@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, 370),
            st.integers(0, 3),
            st.sampled_from(
                (b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b"0", b"\xff", b"a")
            ),
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(deadline=None, max_examples=1_000)
@example([(4, 0, b" ")])
@example([(28, 0, b" ")])
def test_a_damaged_request_is_answered_the_same_or_not_at_all(app, hot, edits):
    request = raw(b'{"text": "snow at noon"}')
    for place, length, inserted in edits:
        request = request[:place] + inserted + request[place + length :]
    assert_same(app, hot, request)


@pytest.mark.parametrize("line", ODD_LINES, ids=ascii)
def test_an_odd_line_is_answered_the_same_or_not_at_all(app, hot, line):
    assert_same(app, hot, raw(b'{"text": "a"}', lines=[line]))


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /v1/classify HTTP/1.1", b"POST /v1/classify HTTP/1.0", b"POST /v1/classify HTTP/1.2",
        b"POST /v1/classify?a=b HTTP/1.1", b"POST //v1/classify HTTP/1.1", b"POST /v1 HTTP/1.1",
        b"POST http://x/v1/classify HTTP/1.1", b"post /v1/classify HTTP/1.1", b"POST /v1/classify",
        b"POST  /v1/classify HTTP/1.1", b"POST /v1/classify/ HTTP/1.1",
        b"POST /v1/%63lassify HTTP/1.1",
    ],
)  # fmt: skip
def test_another_request_line_is_left_to_the_full_path(hot, request_line):
    assert hot.answer(raw(b'{"text": "a"}', line=request_line)) is None


@pytest.mark.parametrize(
    "request_bytes",
    [
        raw(b'{"text": "a"}')[:-1],
        raw(b'{"text": "a"}') + b"\n",
        raw(b'{"text": "a"}') * 2,
        raw(b'{"text": "a"}')[:40],
        raw(b'{"text": "a"}', lines=[b"Content-Length: 13"]),
        raw(b'{"text": "a"}', lines=[b"content-length: 13"]),
        raw(b'{"text": "a"}', lines=[b"Transfer-Encoding: chunked"]),
        b"\r\n" + raw(b'{"text": "a"}'),
    ],
    ids=["short", "long", "two", "cut", "length twice", "in small letters", "chunked", "blank"],
)
def test_a_request_of_unclear_extent_is_left_to_the_full_path(hot, request_bytes):
    assert hot.answer(request_bytes) is None


def test_a_failure_inside_is_left_to_the_full_path(app, hot, monkeypatch):
    def fail(_texts):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(app.extensions["serving"].predictor, "predict", fail)
    assert hot.answer(raw(b'{"text": "a"}')) is None


def test_both_paths_log_the_same(bundle_dir, tmp_path):
    log = tmp_path / "requests.log"
    app = create_app(Settings(bundle_dir, request_log_path=log, log_texts=True))
    assert_same(app, HotRoute(app.extensions["serving"]), raw(b'{"text": "snow at noon"}'))
    first, second = map(json.loads, log.read_text().splitlines())
    for line in (first, second):
        assert line["queue_seconds"] > 0
        for changing in ("time", "seconds", "queue_seconds", "model_seconds"):
            line.pop(changing)
    assert first == second
    assert (first["status"], first["request_id"], first["sent"]) == (200, "id-7", ["snow at noon"])


def test_where_keys_are_asked_for_all_is_left_to_the_full_path(bundle_dir, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"somebody {'0' * 64}\n")
    app = create_app(Settings(bundle_dir, api_keys_path=keys))
    app.extensions["serving"].predictor.warm_up()
    assert HotRoute(app.extensions["serving"]).answer(raw(b'{"text": "a"}')) is None
