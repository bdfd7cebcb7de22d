"""Who may ask a deployed host: keys with a rate for each, rotated while it serves, and origins."""

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from classifier.serving.keys import make_key

ORIGIN = "https://shop.example"
RATE = 5  # requests in a second with one key, and as many in a burst


def entry(line):
    name, digest = line.split()
    return {"name": name, "sha256": digest}


KEYS = {name: make_key(name) for name in ("old", "steady", "new")}
OPEN = {"nginx_cors_origins": [ORIGIN], "nginx_key_requests_per_second": RATE}


def listing(*names):
    return [entry(KEYS[name][1]) for name in names]


@pytest.fixture(scope="module")
def guarded(host):
    """The shared host, asking for the keys old and steady; open to all again afterwards."""
    host.play("deploy.yml", classifier_api_keys=listing("old", "steady"), **OPEN)
    yield host
    host.play("deploy.yml")


def ask(host, key=None, *, method="POST", path="/v1/classify", **headers):
    """Return status, headers and JSON (None where the answer has no body)."""
    headers = {"Content-Type": "application/json"} | headers
    if key:
        headers["Authorization"] = f"Bearer {KEYS[key][0]}"
    data = b'{"text": "where is my parcel?"}' if method == "POST" else None
    request = urllib.request.Request(
        f"http://{host.address}{path}", data, headers, method=method
    )  # fmt: skip
    try:
        answer = urllib.request.urlopen(request, timeout=30)  # noqa: S310 - http, as above
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        body = answer.read()
        return answer.status, answer.headers, json.loads(body) if body else None


def status_in_the_end(host, key, wanted):
    """The status that `key` gets, asked until it is `wanted` or 5 seconds are over."""
    deadline = time.monotonic() + 5
    while (found := ask(host, key)[0]) != wanted and time.monotonic() < deadline:
        time.sleep(0.3)  # below the rate
    return found


def processes(host):
    # In brackets, or the shell that asks would find itself
    return host.shell("pgrep --full '[g]unicorn|[n]ginx: worker' | sort").split()


@pytest.mark.timeout(600)
def test_without_a_known_key_nobody_is_answered(guarded):
    status, headers, refusal = ask(guarded)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refusal["error"]["code"] == "unauthorized"
    assert ask(guarded, "new")[0] == 401
    assert ask(guarded, "old")[0] == ask(guarded, "steady")[0] == 200
    assert ask(guarded, method="GET", path="/readyz")[0] == 200


def test_keys_are_hashes_on_the_host_and_names_in_its_log(guarded):
    ask(guarded, "steady")
    found = guarded.shell("cat /etc/frontdesk/api_keys; tail -1 /var/log/frontdesk/requests.log")
    assert '"key":"steady"' in found
    said = guarded.shell("cat /etc/frontdesk/* /var/log/frontdesk/* /var/log/nginx/*")
    assert [name for name, (key, _) in KEYS.items() if key in said] == []


def test_each_key_has_a_rate_of_its_own(guarded):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(guarded, "old"), range(4 * RATE)))
    assert Counter(status for status, _, _ in answers).keys() == {200, 429}
    refused = [headers["Retry-After"] for status, headers, _ in answers if status == 429]
    assert len(refused) >= RATE
    assert set(refused) == {"1"}
    assert ask(guarded, "steady")[0] == 200


@pytest.mark.timeout(300)
def test_keys_rotate_without_a_restart(guarded):
    before = processes(guarded)
    guarded.play("configure.yml", classifier_api_keys=listing("new", "steady"), **OPEN)
    assert status_in_the_end(guarded, "new", 200) == 200
    assert status_in_the_end(guarded, "old", 401) == 401
    assert ask(guarded, "steady")[0] == 200
    assert processes(guarded) == before


def test_pages_of_the_named_origin_may_ask_and_no_others(guarded):
    asked = {"Access-Control-Request-Method": "POST"}
    status, headers, _ = ask(guarded, method="OPTIONS", Origin=ORIGIN, **asked)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    status, headers, _ = ask(guarded, "steady", Origin=ORIGIN)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    for origin in ("https://shop.example.evil", "http://shop.example", "null"):
        for method in ("OPTIONS", "POST"):
            _, headers, _ = ask(guarded, "steady", method=method, Origin=origin)
            assert headers["Access-Control-Allow-Origin"] is None
