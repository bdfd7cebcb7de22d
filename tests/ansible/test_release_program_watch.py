"""The watch over a release after its switch: what it lets pass, and when it goes back."""

import json
from dataclasses import replace

import activate
import audit
import deploy
import overview
import pytest
import releases
import rollback
import slots
import traffic
import watch
from layout import ReleaseError
from release_host import OWNER


def line(status=200, seconds="0.003", release="r02", path="/v1/classify"):
    facts = {"path": path, "status": status, "upstream_seconds": seconds, "release_id": release}
    return json.dumps(facts) + "\n"


@pytest.fixture
def watched(host, layout, monkeypatch):
    """watched(lines): two releases, and the watch over the second while these lines come."""
    host.deploy()
    host.deploy(model="new")
    assert host.watched == "r02"
    layout.access_log.write_text(line(500) * 100)  # what was before says nothing

    def follow(*lines):
        come = list(lines)

        def log(_):
            with layout.access_log.open("a") as stream:
                stream.write("".join(come))
            come.clear()

        monkeypatch.setattr(watch.time, "sleep", log)
        return watch.watch(replace(layout, warm_seconds=0.2), "r02")

    return follow


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([line()] * 37 + [line(502, release="")] * 3, "3 of the last 40 requests failed"),
        ([line(500)] * 20, "20 of the last 20 requests failed"),
        ([line(seconds="1.2")] * 30, "p99 of the last 30 requests was 1200 ms"),
        ([line(seconds="0.5, 0.7")] * 30, "was 1200 ms"),
    ],
)
def test_a_breach_returns_to_the_release_before_and_marks_the_new_one_bad(
    host, layout, watched, lines, why
):
    told = watched(*lines)
    assert (told["release"], told["left"]) == ("r01", "r02")
    assert why in told["why"]
    assert (host.live, host.running) == ("r01", {"blue"})
    assert releases.mark(layout, "r02") == "bad"
    assert audit.history(layout)[-1]["event"] == "breach"
    assert "bad" in overview.as_text(overview.overview(layout))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line(500)] * 2,
        [line()] * 98 + [line(500)] * 2,
        [line(400)] * 50,
        [line(503, release="")] * 50,  # the queue was full: too many asked, whatever serves
        [line(501, release="")] * 50,  # a transfer coding that does not exist: anybody can send it
        [line(505, release="")] * 50,
        [line(500, release="r01")] * 50,  # the last requests of the release before
        [line(500, release="", path="/favicon.ico")] * 50,
        [line(seconds="30.0", path="/v1/classify/stream")] * 50,
        [line(seconds="")] * 50,
        ['{"cut', "\n"] * 50,
    ],
)
def test_the_watch_lets_pass_what_is_not_the_releases_doing(host, watched, lines):
    assert watched(*lines)["end"] == "nothing was wrong"
    assert host.live == "r02"


def test_the_watch_ends_when_another_release_serves(host, layout, watched):
    rollback.rollback(layout, None, OWNER)
    layout_before = host.live
    assert watch.watch(replace(layout, warm_seconds=0.1), "r02")["changed"] is False
    assert watch.give_up(layout, "r02", "why")["end"] == "another release serves"
    assert host.live == layout_before == "r01"


def test_a_slot_that_is_no_longer_warm_is_started_and_gated_on_the_way_back(host, layout, watched):
    slots.stop(layout, "blue")
    watch.give_up(layout, "r02", "why")
    assert (host.live, host.running) == ("r01", {"blue"})


def test_a_warm_slot_serves_again_without_a_gate_that_a_host_in_trouble_may_fail(
    host, layout, watched
):
    host.bad.add("r01")
    assert watch.give_up(layout, "r02", "why")["release"] == "r01"


def test_with_nothing_to_return_to_the_breach_is_noted_and_the_release_serves_on(host, layout):
    host.deploy()
    with pytest.raises(ReleaseError, match="why No good release is there to return to"):
        watch.give_up(layout, "r01", "why")
    assert host.live == "r01"
    assert audit.history(layout)[-1]["event"] == "breach"


def test_what_was_marked_bad_is_not_deployed_again_unasked(host, layout, watched):
    watch.give_up(layout, "r02", "3 of 20 requests failed.")
    with pytest.raises(ReleaseError, match="release r02, which was marked bad .* 3 of 20"):
        host.deploy(model="new")
    assert host.live == "r01"
    again = host.release(model="new")
    assert deploy.deploy(layout, again, OWNER, even_if_bad=True)["changed"] is True


def test_a_rollback_never_returns_to_a_bad_release(host, layout, watched):
    watch.give_up(layout, "r02", "why")
    with pytest.raises(ReleaseError, match="r02 is marked bad"):
        rollback.rollback(layout, "r02", OWNER)
    host.deploy(model="newer")
    assert rollback.rollback(layout, None, OWNER)["release"] == "r01"


def test_the_old_slot_stays_warm_and_the_new_one_watched_even_if_the_deploy_is_killed_at_the_switch(
    host, layout, monkeypatch
):
    host.deploy()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(activate.slots, "switch", killed)
    with pytest.raises(KeyboardInterrupt):
        host.deploy(model="new")
    assert (host.warm["blue"], host.watched) == (300, "r02")


def test_the_log_is_followed_through_its_rotation(tmp_path):
    path = tmp_path / "access.log"
    path.write_text("old\n")
    log = traffic.Log(path)
    with path.open("a") as stream:
        stream.write("one\ntw")
    assert log.lines() == ["one"]
    with path.open("a") as stream:
        stream.write("o\n")
    path.rename(tmp_path / "access.log.1")
    path.write_text("three\n")
    assert log.lines() == ["two", "three"]


def test_few_requests_are_held_for_as_long_as_it_takes_and_many_for_ten_seconds():
    window = traffic.Window(2, 1000)
    window.add([traffic.Request(0, 500, 0)] * 19, 0)
    assert window.breach() is None
    window.add([traffic.Request(100, 500, 0)], 100)
    assert "20 of the last 20" in window.breach()
    window.add([traffic.Request(111, 200, 0)] * 20, 111)
    assert window.breach() is None
