"""The watch over a release after its switch, and the way back on a breach.

It runs on the host, under systemd, for as long as the slot before stays warm: nobody has to be
connected for a bad release to go.
"""

import time

import audit
import hold
import releases
import slots
from activate import activate
from layout import Layout, ReleaseError
from rollback import earlier
from traffic import Log, Window, requests_of

PATIENCE_SECONDS = 30  # for the switch, before which the watch begins


def watch(layout: Layout, release_id: str) -> dict:
    """Follow a release's traffic until its time is over, another serves, or a limit is broken."""
    log, window = Log(layout.access_log), Window(layout.watch_error_percent, layout.watch_p99_ms)
    began, seen = time.monotonic(), False
    while (now := time.monotonic()) < began + layout.warm_seconds:
        serves = slots.release_in(layout, slots.live(layout)) == release_id
        if not serves and (seen or now > began + PATIENCE_SECONDS):
            return {"changed": False, "watched": release_id, "end": "another release serves"}
        seen = seen or serves
        window.add(requests_of(log.lines(), release_id, now), now)
        if seen and (breach := window.breach()):
            return give_up(layout, release_id, breach)
        time.sleep(layout.watch_interval_seconds)
    return {"changed": False, "watched": release_id, "end": "nothing was wrong"}


def give_up(layout: Layout, release_id: str, why: str) -> dict:
    """Return from a release to the good one before it, and mark it bad."""
    with hold.working(layout):
        slot = slots.live(layout)
        if slots.release_in(layout, slot) != release_id:
            return {"changed": False, "watched": release_id, "end": "another release serves"}
        back_to = (earlier(layout, release_id) or [None])[-1]
        if back_to is None:
            audit.record(layout, "breach", release_id, who="this host", why=why, back_to=None)
            raise ReleaseError(f"{why} No good release is there to return to.")
        if slots.release_in(layout, slots.idle(layout)) == back_to and slots.is_running(
            slots.idle(layout)
        ):
            _switch_back(layout, back_to)
        else:
            activate(layout, back_to)
        release = releases.find(layout, release_id)
        releases.mark(layout, release_id, "bad")
        audit.record(layout, "breach", release_id, who="this host", why=why, back_to=back_to,
                        parts=release and release.parts)  # fmt: skip
        slots.empty(layout, slot)
    return {"changed": True, "release": back_to, "left": release_id, "why": why}


def _switch_back(layout: Layout, release_id: str) -> None:
    """To the slot that served a moment ago, without a gate: a host in trouble might fail it."""
    slot = slots.idle(layout)
    slots.keep_warm(slot, None)
    slots.switch(layout, slot)
    slots.ask_edge(layout, release_id)
