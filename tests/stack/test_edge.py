"""The edge of a host: no weak point, and a switch that tells clients to come back later."""

import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from hosts import changes

pytestmark = pytest.mark.timeout(300)
TEXT = json.dumps({"text": "where is my parcel?"}).encode()


def ask(host, path, data=None, kind="application/json"):
    """Return status, kind of the body, seconds to wait, body."""
    request = urllib.request.Request(f"http://{host.address}{path}", data, {"Content-Type": kind})
    try:
        answer = urllib.request.urlopen(request, timeout=10)  # noqa: S310 - HTTP
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        headers = answer.headers
        return answer.status, headers.get_content_type(), headers["Retry-After"], answer.read()


def test_clients_are_turned_away_and_let_in_again(host):
    try:
        host.play("maintenance.yml", nginx_maintenance="on")
        status, kind, wait, page = ask(host, "/")
        assert (status, kind, wait) == (503, "text/html", "60")
        assert b"Back soon" in page
        for path, kind in (("/v1/classify", "application/json"),
                           ("/v1/classify/stream", "application/x-ndjson")):  # fmt: skip
            status, said, wait, body = ask(host, path, TEXT, kind)
            assert (status, said, wait) == (503, "application/json", "60")
            assert json.loads(body)["error"]["code"] == "unavailable"
        assert ask(host, "/readyz")[0] == 200
        assert changes(host.play("deploy.yml").stdout) == 0
        assert ask(host, "/")[0] == 503
    finally:
        host.play("maintenance.yml", nginx_maintenance="off")
    assert ask(host, "/")[0] == 200
    assert ask(host, "/v1/classify", TEXT)[0] == 200


def test_the_whole_configuration_has_no_weak_point(host):
    assert host.weak_points() == ""


def test_on_or_off_has_to_be_said(host):
    done = host.play("maintenance.yml", check=False)
    assert done.returncode != 0
    assert "Say -e nginx_maintenance=on, or off" in done.stdout


def statuses(host, count, path="/v1/classify", data=TEXT):
    """What so many requests at the same time are answered, with the seconds to wait."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda _: ask(host, path, data)[:3], range(count)))


def test_one_client_takes_no_more_than_its_share_where_that_is_wanted(host):
    host.play("configure.yml", "--tags", "nginx", nginx_client_requests_per_second=5)
    try:
        answers = statuses(host, 80)
        refused = [answer for answer in answers if answer[0] == 429]
        assert set(refused) == {(429, "application/json", "1")}
        assert 30 <= len(refused) < 80
        another = host.shell(
            "curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1/v1/model"
        )
        assert another == "200"
        assert {status for status, *_ in statuses(host, 40, "/healthz", None)} == {200}
        assert host.weak_points() == ""
    finally:
        host.play("configure.yml", "--tags", "nginx")
    assert {status for status, *_ in statuses(host, 40)} == {200}


@contextlib.contextmanager
def held_open(host):
    """A request of this machine that is answered only when it ends."""
    with socket.create_connection((host.address, 80), timeout=5) as client:
        client.sendall(
            b"POST /v1/classify/stream HTTP/1.1\r\nHost: site\r\nConnection: close\r\n"
            b"Content-Type: application/x-ndjson\r\nContent-Length: 24\r\n\r\n"
        )
        time.sleep(0.5)
        yield
        client.sendall(b'{"text": "my  parcels"}\n')
        assert client.recv(64).startswith(b"HTTP/1.1 200")


def test_behind_a_balancer_the_client_is_who_the_balancer_says(host):
    def client_in_the_log(name):
        ask_of = f"curl --silent --header 'X-Forwarded-For: 192.0.2.66, 203.0.113.9' {name}"
        host.shell(ask_of + "/v1/model --output /dev/null")
        last = host.shell("tail --lines 1 /var/log/nginx/access.log")
        return json.loads(last)["client"]

    assert client_in_the_log("http://127.0.0.1") == "127.0.0.1"
    settings = {"nginx_trusted_proxies": ["127.0.0.0/8"], "nginx_client_connections": 2}
    host.play("configure.yml", "--tags", "nginx", **settings)
    try:
        assert client_in_the_log("http://127.0.0.1") == "203.0.113.9"
        assert client_in_the_log(f"http://{host.address}") == host.address  # no balancer of ours
        with held_open(host), held_open(host):
            assert ask(host, "/v1/model")[:3] == (429, "application/json", "1")
            assert client_in_the_log("http://127.0.0.1") == "203.0.113.9"
        assert ask(host, "/v1/model")[0] == 200
        assert host.weak_points() == ""
    finally:
        host.play("configure.yml", "--tags", "nginx")
    assert client_in_the_log("http://127.0.0.1") == "127.0.0.1"


def test_logs_are_rotated_and_written_on(host):
    host.shell("logrotate --force /etc/logrotate.d/nginx")
    assert ask(host, "/v1/classify", TEXT)[0] == 200
    lines = host.shell("cat /var/log/nginx/access.log").splitlines()
    assert json.loads(lines[-1])["path"] == "/v1/classify"
    assert len(lines) < int(host.shell("wc --lines < /var/log/nginx/access.log.1")) + 1
    facts = host.shell("stat --format '%a %U' /var/log/nginx/access.log").split()
    assert facts[0] == "640"
