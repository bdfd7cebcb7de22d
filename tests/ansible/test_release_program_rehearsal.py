"""Releases that are tried beside the live one: what reaches them, what is told, how it ends."""

import asyncio
import json

import audit
import compare
import overview
import pytest
import rehearsal
import rehearse
import releases
import rollback
import slots
from layout import ReleaseError
from release_host import OWNER


@pytest.fixture
def tried(host, layout, monkeypatch):
    """tried(mode, percent, **contents): begin a rehearsal beside a live release."""
    monkeypatch.setattr(rehearsal, "compare", lambda layout, wanted: host.compared.append(wanted))
    monkeypatch.setattr(rehearsal, "_stop", lambda layout: host.compared.append(None))
    host.compared = []
    host.deploy()

    def begin(mode="canary", percent=10, model="new"):
        release = host.release(model=model)
        return rehearse.begin(layout, release, OWNER, mode=mode, percent=percent)

    return begin


def share(layout):
    folder = layout.root / "candidate" / "share"
    return sorted(int(path.name) for path in folder.iterdir()) if folder.exists() else []


def test_a_canary_answers_a_share_of_the_clients_and_the_live_release_stays(host, layout, tried):
    told = tried(percent=3)
    assert (told["changed"], told["mode"], host.live) == (True, "canary", "r01")
    assert (layout.root / "candidate").resolve() == layout.slot("green").resolve()
    assert share(layout) == [0, 1, 2]
    assert slots.release_in(layout, "green") == "r02"
    assert releases.mark(layout, "r02") == "staged"
    assert "r02 as canary with 3 % of the clients" in overview.as_text(overview.overview(layout))


def test_a_shadow_answers_no_client(host, layout, tried):
    tried("shadow", percent=10)
    assert share(layout) == []
    assert [each.mode for each in host.compared if each] == ["shadow"]


def test_begun_again_with_the_same_parts_it_takes_another_share_and_is_not_started_anew(
    host, layout, tried
):
    tried(percent=3)
    host.bad.add("r03")
    tried(percent=50)
    assert len(share(layout)) == 50
    assert slots.release_in(layout, "green") == "r02"


def test_of_two_releases_one_is_tried_and_none_deployed_meanwhile(host, layout, tried):
    tried()
    with pytest.raises(ReleaseError, match=r"r02 is tried here as canary .* promote.yml or abort"):
        tried(model="newer")
    with pytest.raises(ReleaseError, match="r02 is tried here"):
        host.deploy(model="newest")
    assert (host.live, share(layout)) == ("r01", list(range(10)))


def test_what_fails_its_gate_is_not_tried(host, layout, tried):
    host.bad.add("r02")
    with pytest.raises(ReleaseError, match="wrong label"):
        tried()
    assert (rehearsal.state(layout), share(layout), host.running) == (None, [], {"blue"})
    assert audit.history(layout)[-1]["event"] == "refused"
    assert [each.id for each in releases.listed(layout)] == ["r01"]


def test_with_nothing_live_there_is_nothing_to_try_beside(host, layout):
    with pytest.raises(ReleaseError, match="No whole release is live"):
        rehearse.begin(layout, host.release(), OWNER, mode="shadow", percent=0)


def test_promoted_it_serves_all_clients_and_is_watched(host, layout, tried):
    tried()
    assert rehearse.promote(layout, OWNER)["release"] == "r02"
    assert (host.live, host.watched, host.warm["blue"]) == ("r02", "r02", 300)
    assert (share(layout), rehearsal.state(layout)) == ([], None)
    assert releases.mark(layout, "r02") == "good"
    assert rollback.rollback(layout, None, OWNER)["release"] == "r01"


def test_aborted_it_is_left_to_its_end_and_never_returned_to(host, layout, tried):
    tried()
    told = rehearse.abort(layout, OWNER)
    assert (told["release"], told["left"], host.live) == ("r01", "r02", "r01")
    assert (share(layout), host.warm["green"]) == ([], rehearse.DRAIN_SECONDS)
    assert "green" in host.running  # what is in flight is answered
    assert "r02  aborted" in overview.as_text(overview.overview(layout))
    with pytest.raises(ReleaseError, match="r02 is marked aborted"):
        rollback.rollback(layout, "r02", OWNER)
    host.deploy(model="newer")
    assert "r02" not in [each.id for each in releases.listed(layout)]


@pytest.mark.parametrize("end", [rehearse.promote, rehearse.abort])
def test_with_nothing_tried_there_is_nothing_to_end(host, layout, tried, end):
    with pytest.raises(ReleaseError, match=r"No release is tried .* canary.yml or shadow.yml"):
        end(layout, OWNER)


def test_a_rollback_takes_the_slot_and_ends_the_rehearsal(host, layout, tried):
    host.deploy(model="second")
    tried(model="third")
    rollback.rollback(layout, None, OWNER)
    assert (host.live, share(layout), rehearsal.state(layout)) == ("r01", [], None)
    assert "needed its slot" in [each.get("why") for each in audit.history(layout)][-2]


ANSWER = {"a": "x", "b": "y", "c": "x"}


class Side:
    """A release that answers over HTTP on a socket with the labels it is given."""

    def __init__(self, labels, seconds=0.0, status=200):
        self.labels, self.seconds, self.status, self.asked = labels, seconds, status, 0

    async def answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        texts = json.loads(await reader.readexactly(length))["texts"]
        self.asked += 1
        await asyncio.sleep(self.seconds)
        body = json.dumps({"results": [{"label": self.labels[text]} for text in texts]}).encode()
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()


async def copy(path, body):
    """Send one copy as Nginx does; the seconds until it was taken."""
    reader, writer = await asyncio.open_unix_connection(path)
    head = f"POST /v1/classify HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    began = asyncio.get_running_loop().time()
    writer.write(head.encode() + body)
    assert (await reader.read()).startswith(b"HTTP/1.1 204")
    writer.close()
    return asyncio.get_running_loop().time() - began


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """compared(live, candidate, copies): (the report, the seconds that each copy took)."""
    monkeypatch.setattr(compare, "PER_SECOND", 1000)

    async def run(live, candidate, copies):
        for name, side in (("live", live), ("candidate", candidate)):
            await asyncio.start_unix_server(side.answer, tmp_path / name)
        sockets = {"live": tmp_path / "live", "candidate": tmp_path / "candidate"}
        comparison = compare.Comparison(sockets)
        await asyncio.start_unix_server(comparison.take, tmp_path / "copies")
        looking = asyncio.create_task(comparison.look())
        body = json.dumps({"texts": list(ANSWER)}).encode()
        took = [await copy(tmp_path / "copies", body) for _ in range(copies)]
        for _ in range(200):
            counts = comparison.tally.counts
            if counts["requests"] + counts["left_out"] >= copies:
                break
            await asyncio.sleep(0.02)
        looking.cancel()
        return comparison.tally.report(), took

    return lambda *sides, copies=4: asyncio.run(run(*sides, copies))


def test_the_report_tells_agreement_flips_and_the_difference_of_the_times(compared):
    other = ANSWER | {"b": "z"}
    report, _ = compared(Side(ANSWER), Side(other, seconds=0.05))
    assert (report["requests"], report["texts"], report["failed"]) == (4, 12, 0)
    assert report["agreement"] == 0.6667
    assert report["flips"] == [{"live": "y", "candidate": "z", "count": 4}]
    assert report["milliseconds"]["difference"]["p50"] > 30
    words = "\n".join(rehearsal.in_words(report))
    assert "66.67% of 12 texts" in words
    assert "4 x y -> z" in words


def test_a_candidate_that_fails_is_told_and_agrees_with_nothing(compared):
    report, _ = compared(Side(ANSWER), Side(ANSWER, status=500))
    assert (report["requests"], report["failed"], report["agreement"]) == (4, 4, None)


def test_what_the_live_release_does_not_answer_is_not_held_against_the_candidate(compared):
    report, _ = compared(Side(ANSWER, status=400), Side(ANSWER), copies=1)
    assert (report["requests"], report["failed"]) == (0, 0)


def test_no_copy_waits_for_a_slow_candidate_and_what_is_too_much_is_left_out(compared, monkeypatch):
    monkeypatch.setattr(compare, "WAITING", 2)
    slow = Side(ANSWER, seconds=0.3)
    report, took = compared(Side(ANSWER), slow, copies=8)
    assert max(took) < 0.25
    assert report["left_out"] >= 4
