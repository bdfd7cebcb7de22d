"""Clients who mean harm: requests that hide others, connections that are never done, crashes."""

import json
import socket
import threading
import time

import corpus
import pytest

pytestmark = pytest.mark.timeout(300)
LIVE = "/opt/frontdesk/live/http.sock"
SECONDS_TO_BE_CUT = 10  # Nginx's own limits, and a little


def test_no_raw_request_brings_a_second_one_in_or_breaks_the_server(host):
    requests = corpus.requests()
    assert len(requests) >= 60
    host.shell("logrotate --force /etc/logrotate.d/nginx")
    live = host.status()["live"]["id"]
    found = corpus.sent_from(host, "tcp", LIVE)
    assert len(found) == 2 * len(requests)
    assert [name for name, said in found.items() if 200 in said[1:] or len(said) > 2] == []
    assert {name: said for name, said in found.items() if corpus.BROKEN & set(said)} == {}
    assert {status for said in found.values() for status in said} >= {200, 400, 405, 413, 431, 501}
    assert (host.status()["live"]["id"], host.status()["live"]["mark"]) == (live, "good")
    lines = map(json.loads, host.shell("cat /var/log/nginx/access.log").splitlines())
    assert [line for line in lines if "hidden" in line["path"] and line["status"] < 400] == []


KINDS = {
    "header": b"GET /v1/model HTTP/1.1\r\nHost: site\r\nX-A: ",
    "body": b"POST /v1/classify HTTP/1.1\r\nHost: site\r\nContent-Type: application/json\r\n"
    b"Content-Length: 60000\r\n\r\n",
    "read": b"GET /openapi.json HTTP/1.1\r\nHost: site\r\n\r\n" * 60,
}


class Slow:
    """150 connections of this machine that send or read as slowly as they can."""

    def __init__(self, host):
        self._host, self._over, self.lived = host, threading.Event(), []
        self._threads = [
            threading.Thread(target=self._hold, args=(kind,)) for kind in KINDS for _ in range(50)
        ]

    def _hold(self, kind):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((self._host.address, 80))
            began = time.monotonic()
            client.sendall(KINDS[kind])
            client.settimeout(0.1)
            while not self._over.wait(1):
                try:
                    if kind != "read":
                        client.send(b"a")
                        if client.recv(4096) == b"":
                            break
                except TimeoutError:
                    continue
                except OSError:
                    break
            self.lived.append((kind, time.monotonic() - began))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_slow_clients_take_nothing_from_another_one(host):
    ask = (
        "for n in $(seq 150); do curl --silent --output /dev/null --write-out "
        "'%{http_code} %{time_total}\\n' http://127.0.0.1/v1/classify "
        '--json \'{"text": "where is my parcel?"}\'; sleep 0.1; done'
    )
    with Slow(host) as slow:
        time.sleep(1)
        answers = [line.split() for line in host.shell(ask).splitlines()]
    assert {status for status, _ in answers} == {"200"}
    times = sorted(float(seconds) for _, seconds in answers)
    assert times[round(0.99 * len(times)) - 1] < 0.1, times[-5:]
    headers = [seconds for kind, seconds in slow.lived if kind == "header"]
    assert len(headers) == 50
    assert max(headers) < SECONDS_TO_BE_CUT + 5


def wait_until_it_answers(host, seconds):
    deadline = time.monotonic() + seconds
    ask = "curl --silent --output /dev/null --max-time 8 --write-out '%{http_code}' "
    while host.shell(f"{ask} http://127.0.0.1/v1/model") != "200":
        assert time.monotonic() < deadline, "it is not back"
        time.sleep(0.2)


def stop_the_watch(host):
    """It would go back to another release, and be right. Where the time is over there is none."""
    host.shell("systemctl stop frontdesk-watch.service || true")


def test_ten_crashes_in_a_minute_are_survived(host):
    stop_the_watch(host)
    for _ in range(10):
        host.shell("pkill --signal KILL --oldest --full '[g]unicorn' || true; sleep 1")
    wait_until_it_answers(host, 8)
    assert host.status()["warnings"] == []


def test_a_socket_file_that_was_removed_comes_back(host):
    stop_the_watch(host)
    for _ in range(3):  # the second and third time, too
        host.shell("rm /run/frontdesk/$(basename $(readlink /opt/frontdesk/live)).sock")
        wait_until_it_answers(host, 8)
    host.shell("rm --recursive /run/frontdesk")
    wait_until_it_answers(host, 8)
    assert host.status()["warnings"] == []
