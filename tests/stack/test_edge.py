"""The edge of a host: no weak point, and a switch that tells clients to come back later."""

import json
import urllib.error
import urllib.request

import pytest

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
        assert "changed=0 " in host.play("deploy.yml").stdout
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
