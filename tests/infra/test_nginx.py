import json
import re
import uuid
from collections import Counter

import pytest

CSP_SOURCES = {"script-src", "style-src", "connect-src", "img-src"}


def classify(ask, body, *options):
    return ask("/v1/classify", "--header", "Content-Type: application/json", "--data-binary", body,
               *options)  # fmt: skip


def test_it_runs_now_and_after_a_restart(host):
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled


def test_its_configuration_is_valid(host):
    assert host.run("nginx -t -q").rc == 0


def test_its_unit_is_shut_in(host):
    report = host.check_output("systemd-analyze security --no-pager nginx.service")
    assert float(report.split("Overall exposure level for")[1].split()[1]) <= 3.0


def test_it_comes_back_when_it_is_killed(host):
    assert "Restart=always" in host.check_output("systemctl show nginx.service").splitlines()


@pytest.fixture
def asset(ask):
    """The path of a file that the page refers to, by its ending: asset("css")."""
    return lambda kind: "/" + re.search(rf'"(assets/[^"]+\.{kind})"', ask("/").body)[1]


def test_the_page_comes_from_disk_and_is_asked_for_anew_each_time(ask):
    answer = ask("/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["server"] == "nginx"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("css", "text/css; charset=utf-8"),
        ("js", "javascript; charset=utf-8"),
        ("svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_files_of_the_page_are_kept_by_browsers_for_ever(ask, asset, ending, kind):
    answer = ask(asset(ending))
    assert answer.status == 200
    assert answer.headers["content-type"].endswith(kind)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.body


def test_a_file_of_the_page_that_is_missing_is_not_remembered_as_missing(ask):
    answer = ask("/assets/app.0123456789abcdef.css")
    assert answer.status == 404
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize("path", ["/", "css", "js", "svg"])
def test_the_page_is_sent_compressed_to_those_who_take_it(ask, asset, path):
    path = path if path == "/" else asset(path)
    plain, packed = ask(path), ask(path, "--head", "--header", "Accept-Encoding: gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_the_page_is_the_live_releases_own(host, ask):
    served = ask("/index.html").body
    assert (
        served.strip()
        == host.file("/opt/frontdesk/live/release/app/web/index.html").content_string.strip()
    )


def test_a_text_is_classified(ask):
    answer = classify(ask, '{"text": "My parcel has not arrived yet, where is the courier?"}')
    assert answer.status == 200
    result = answer.json["results"][0]
    assert result["label"] == "delivery"
    assert result["probability"] == max(result["probabilities"].values())
    assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert answer.json["release_id"]
    assert answer.json["model_id"]


def test_several_texts_are_classified_in_order(ask):
    texts = ["I forgot my password and can't log in", "please refund the double charge on my card"]
    answer = classify(ask, json.dumps({"texts": texts}))
    assert [result["label"] for result in answer.json["results"]] == ["login", "billing"]


def test_a_stream_of_texts_is_answered_line_by_line(host, ask):
    host.check_output(
        'for n in $(seq 3000); do echo \'{"id": \'$n\', "text": "I forgot my password"}\'; done'
        " > /tmp/lines"
    )
    headers = ["--header", "Content-Type: application/x-ndjson", "--header", "Expect:"]
    options = ["--upload-file", "/tmp/lines", "--request", "POST", *headers]
    answer = ask("/v1/classify/stream", *options)
    assert answer.status == 200
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["id"] for line in lines] == list(range(1, 3001))
    assert {line["label"] for line in lines} == {"login"}


def test_feedback_is_kept(host, ask):
    body = json.dumps({"request_id": uuid.uuid4().hex, "label": "billing"})
    assert ask("/v1/feedback", "--json", body).status == 200
    kept = host.file("/var/lib/frontdesk/feedback.jsonl")
    assert (kept.user, kept.mode) == ("frontdesk", 0o640)
    assert json.loads(body).items() <= json.loads(kept.content_string.splitlines()[-1]).items()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/model"])
def test_the_application_tells_how_it_is(ask, path):
    assert ask(path).status == 200


@pytest.mark.parametrize(
    ("path", "options", "status", "code"),
    [
        ("/nothing", [], 404, "not_found"),
        ("/.git/config", [], 404, "not_found"),
        ("/index.html", ["--request", "POST", "--data", "x"], 405, "method_not_allowed"),
        ("/v1/nothing", [], 404, "not_found"),
        ("/v1/classify", [], 405, "method_not_allowed"),
        ("/" + "a" * 9000, [], 414, "uri_too_long"),
        ("/", ["--header", "X-Long: " + "a" * 9000], 431, "headers_too_large"),
        ("/", ["--header", "Host: a b"], 400, "bad_request"),
        ("/v1", [], 404, "not_found"),
        ("/v1/model?" + "a" * 9000, [], 414, "uri_too_long"),
        ("/v1/model", ["--header", "X-Long: " + "a" * 9000], 431, "headers_too_large"),
        ("/", ["--header", "Range: bytes=900000-"], 416, "range_not_satisfiable"),
        ("/", ["--header", "If-Match: x"], 412, "precondition_failed"),
        ("/", ["--header", "Transfer-Encoding: gzip"], 501, "not_implemented"),
    ],
)
def test_every_refusal_is_json_with_a_request_id(ask, path, options, status, code):
    answer = ask(path, *options)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json["error"]["code"] == code
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("TRACE", "/v1/classify", "POST"), ("TRACE", "/healthz", "GET"),
     ("GET", "/v1/classify", "POST"), ("DELETE", "/v1/model", "GET, HEAD")],
)  # fmt: skip
def test_a_wrong_method_is_told_the_right_one(ask, method, path, allowed):
    answer = ask(path, "--request", method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("encoding", ["Expect:", "Transfer-Encoding: chunked"])
def test_a_body_over_the_limit_is_refused(host, ask, encoding):
    host.run("head --bytes 65537 /dev/zero | tr '\\0' a > /tmp/body")
    answer = classify(ask, "@/tmp/body", "--header", encoding)
    assert answer.status == 413
    assert answer.json["error"]["code"] == "body_too_large"
    assert "65536" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "body",
    ["", "not json", '{"text": ""}', '{"text": 5}', "[]", '{"texts": []}',
     json.dumps({"text": "a" * 10_001}), json.dumps({"texts": ["a"] * 65})],
)  # fmt: skip
def test_bad_requests_are_refused_in_json(ask, body):
    answer = classify(ask, body)
    assert 400 <= answer.status < 500
    assert answer.json["error"]["message"]
    assert answer.json["request_id"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz", "/v1/classify"])
def test_every_answer_carries_the_security_headers(ask, path):
    headers = ask(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in CSP_SOURCES} == {"'self'"}


def test_metrics_are_for_the_host_itself(host, ask):
    assert ask("/metrics").status == 404
    assert [each for each in host.socket.get_listening_sockets() if ":9180" in each] == [
        "tcp://127.0.0.1:9180"
    ]
    said = host.check_output("curl --silent --fail http://127.0.0.1:9180/metrics")
    assert 'frontdesk_texts_total{label="delivery"}' in said


def test_the_interface_describes_itself(ask):
    answer = ask("/openapi.json")
    assert answer.status == 200
    assert "/v1/classify" in answer.json["paths"]


def test_other_origins_are_not_let_in(ask):
    headers = ask("/v1/model", "--header", "Origin: https://a.example").headers
    assert [name for name in headers if name.startswith("access-control")] == []


@pytest.mark.parametrize(("sent", "kept"), [("abc-1.2_3", True), ("two words", False)])
def test_a_clients_request_id_is_kept_when_it_is_harmless(ask, sent, kept):
    answer = ask("/healthz", "--header", f"X-Request-ID: {sent}")
    assert (answer.headers["x-request-id"] == sent) is kept


def test_each_request_is_one_line_of_json_in_the_log(host, ask):
    name = uuid.uuid4().hex
    ask('/%22%0a{"status":200}', "--header", f"X-Request-ID: {name}")
    lines = host.file("/var/log/nginx/access.log").content_string.splitlines()
    entry = [json.loads(line) for line in lines if name in line]
    assert [(each["status"], each["request_id"]) for each in entry] == [(404, name)]


def test_bytes_that_are_no_text_do_not_get_into_the_log(host):
    host.check_output("printf 'GET /\\377\\r HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' > /tmp/odd")
    host.run("curl --silent --max-time 5 telnet://127.0.0.1:80 < /tmp/odd")
    host.check_output("iconv --from-code UTF-8 /var/log/nginx/access.log | tail --lines 1")


def test_the_log_says_which_release_answered_and_how_long_it_took(host, ask):
    name = uuid.uuid4().hex
    answer = classify(ask, '{"text": "a"}', "--header", f"X-Request-ID: {name}")
    lines = host.file("/var/log/nginx/access.log").content_string.splitlines()
    (entry,) = [json.loads(line) for line in lines if name in line]
    assert entry.keys() == {"time", "request_id", "client", "method", "path", "status", "bytes",
                            "request_seconds", "upstream_seconds", "release_id"}  # fmt: skip
    assert entry["release_id"] == answer.json["release_id"]
    assert float(entry["upstream_seconds"]) <= entry["request_seconds"] + 0.01


def test_more_requests_than_have_a_place_are_refused_at_once(host, ask):
    host.check_output(f"echo '{json.dumps({'texts': ['word ' * 200] * 60})}' > /tmp/many")
    told = host.check_output(
        "curl --silent --parallel --parallel-immediate --parallel-max 300 --json @/tmp/many "
        r"--output /dev/null --write-out '%{http_code} %header{retry-after} %{content_type}\n' "
        "'http://127.0.0.1/v1/classify?[1-300]'"
    )
    answers = Counter(told.splitlines())
    assert answers.keys() == {"200  application/json", "429 1 application/json"}
    assert answers["200  application/json"] >= 32
    assert ask("/readyz").status == 200


def test_many_and_long_headers_reach_the_application(ask):
    options = [word for number in range(300) for word in ("--header", f"X-{number}: a\x01b")]
    assert ask("/v1/model?" + "a" * 3900, *options).status == 200


def test_what_the_applications_server_refuses_is_json_too(host):
    host.check_output("printf 'GET /v1/\\377 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' > /tmp/odd")
    answer = host.check_output("curl --silent --max-time 5 telnet://127.0.0.1:80 < /tmp/odd; true")
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 400 ")
    assert "Content-Type: application/json" in head
    assert json.loads(body)["error"]["code"] == "bad_request"


COPY_TIMEOUT = "proxy_read_timeout 1s;"  # of the copies for a shadow: no client waits for them


@pytest.mark.parametrize(
    "directive",
    [
        "client_header_timeout 10s;",
        "client_body_timeout 10s;",
        "send_timeout 10s;",
        "proxy_read_timeout 35s;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_pass_request_headers off;",
        "server_tokens off;",
    ],
)
def test_slow_clients_and_made_up_origins_are_cut_off(host, directive):
    lines = [line.strip() for line in host.check_output("nginx -T -q").splitlines()]
    assert lines.count(directive) == 1
    name = directive.rsplit(" ", 1)[0]
    assert [line for line in lines if line.startswith(name) and line != COPY_TIMEOUT] == [directive]


def test_internals_stay_inside(ask):
    assert {"x-worker", "x-release-id"}.isdisjoint(ask("/readyz").headers)
