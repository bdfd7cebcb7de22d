"""The load generator and its judge see each kind of fault: what can't fail proves nothing."""

import json
import socketserver
import threading
import time

import load
import pytest
from load import Exchange, Load
from timeline import Act, Timeline, misplaced, phases, switch_ratio


class Server(socketserver.ThreadingTCPServer):
    """Answers as `behave(request number)` says: what to change, or None to hang up."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, behave):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.connections = behave, 0


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections += 1
        while head := self._head():
            length = int(head["content-length"])
            self.rfile.read(length)
            number = int(head["x-request-id"].removeprefix("load-"))
            told = self.server.behave(number)
            if told is None:
                return
            time.sleep(told.get("seconds", 0))
            answer = {"results": [{"label": "a"}], "model_id": "m", "release_id": "r"}
            if told.get("status", 200) != 200:
                answer = {"error": {"code": "no_answer"}}
            body = json.dumps(answer).encode()
            close = "Connection: close\r\n" if told.get("close") else ""
            self.wfile.write(
                f"HTTP/1.1 {told.get('status', 200)} X\r\nContent-Length: {len(body)}\r\n{close}"
                f"X-Request-ID: {told.get('id', head['x-request-id'])}\r\n\r\n".encode()
                + body
            )
            if told.get("close") or told.get("silent_close"):
                return

    def _head(self):
        lines = []
        while (line := self.rfile.readline().decode().strip()) or not lines:
            if not line:
                return None
            lines.append(line)
        return {name.lower(): value for name, value in (each.split(": ", 1) for each in lines[1:])}


@pytest.fixture
def run_load(monkeypatch):
    """run_load(behave, requests) -> (exchanges, connections that the server saw)."""

    def call(behave, requests=40, per_second=200):
        with Server(behave) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            monkeypatch.setattr(load, "PORT", server.server_address[1])
            with Load("127.0.0.1", per_second, str) as running:
                while len(running.exchanges) < requests:
                    time.sleep(0.01)
            server.shutdown()
            return running.exchanges, server.connections

    return call


def failures(exchanges):
    return {each.number: each.failure for each in exchanges if each.failure}


def test_connections_are_kept_and_all_requests_answered(run_load):
    exchanges, connections = run_load(lambda _: {})
    assert failures(exchanges) == {}
    assert connections < len(exchanges) / 2


def test_an_announced_close_is_no_loss(run_load):
    exchanges, connections = run_load(lambda number: {"close": number % 5 == 0})
    assert failures(exchanges) == {}
    assert connections >= len(exchanges) // 5


def test_a_connection_that_the_server_ended_while_idle_is_not_used_again(run_load):
    exchanges, _ = run_load(lambda _: {"silent_close": True}, requests=10, per_second=20)
    assert failures(exchanges) == {}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (None, "IncompleteReadError"),
        ({"status": 502}, "502 no_answer"),
        ({"id": "another"}, "another request's id"),
    ],
)
def test_each_loss_is_counted_once_with_its_reason(run_load, behaviour, reason):
    exchanges, _ = run_load(lambda number: behaviour if number == 7 else {})
    (lost,) = failures(exchanges).items()
    assert lost[0] == 7
    assert lost[1].startswith(reason)


def test_a_stall_shows_in_the_latency_and_holds_back_no_request(run_load):
    exchanges, _ = run_load(lambda number: {"seconds": 0.3 if number == 5 else 0})
    assert exchanges[5].done - exchanges[5].due >= 0.3
    due = [each.due - exchanges[0].due for each in exchanges]
    assert due == pytest.approx([number / 200 for number in range(len(due))], abs=1e-6)


def answers(*releases, every=0.1):
    return [
        Exchange(number, due=number * every, sent=number * every, done=number * every + 0.05,
                 release=release)
        for number, release in enumerate(releases)
    ]  # fmt: skip


ACT = Act("deploys", began=0.15, ended=0.55, before="old", after="new")


def test_an_orderly_switch_has_nothing_misplaced():
    assert misplaced(answers("old", "old", "old", "new", "new", "new", "new"), [ACT]) == []


@pytest.mark.parametrize(
    "releases",
    [
        ("old", "old", "old", "new", "old", "new", "new"),  # a flip back before the deploy returned
        ("old", "old", "old", "new", "new", "new", "old"),  # and after
        ("old", "old", "old", "old", "old", "old", "old"),  # no switch at all
        ("old", "old", "third", "new", "new", "new", "new"),
    ],
)
def test_an_answer_of_a_release_that_may_not_serve_is_named(releases):
    (line,) = misplaced(answers(*releases), [ACT])[:1]
    assert line.startswith("request ")


def test_phases_hold_all_requests_until_the_next_phase():
    acts = [Act("quiet", 0, 0.3, "a", "a"), Act("deploys", 0.55, 0.7, "a", "b")]
    found = phases(answers(*"aaaaaabb"), acts)
    assert {name: each["sent"] for name, each in found.items()} == {"quiet": 6, "deploys": 2}


def test_a_slow_switch_shows_in_the_ratio():
    exchanges = answers(*["old"] * 200, *["new"] * 200, every=0.05)
    for each in exchanges[198:202]:
        each.done += 0.45
    act = Act("deploys", began=6, ended=12, before="old", after="new")
    assert switch_ratio(exchanges, [act])["ratio"] == pytest.approx(10)


def test_a_timeline_notes_what_served_before_and_after():
    served = iter(["old", "new"])
    timeline = Timeline(lambda: next(served))
    with timeline.act("deploys"):
        pass
    (act,) = timeline.acts
    assert (act.before, act.after) == ("old", "new")
