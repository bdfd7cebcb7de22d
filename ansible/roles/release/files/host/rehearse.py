"""The steps of a rehearsal: begin one as canary or shadow, promote it, or abort it."""

import time

import audit
import hold
import rehearsal
import releases
import slots
from activate import activate, live_release, prepare
from deploy import bring, check_not_bad, clean, complete
from layout import Layout, ReleaseError
from rehearsal import Rehearsal
from releases import Release

DRAIN_SECONDS = 45  # longer than a request that was led to the candidate may take


def begin(  # noqa: PLR0913 - what a call may ask for
    layout: Layout, release: Release, owner: dict, over: str = "", *,
    mode: str, percent: int, allow_downgrade: bool = False,
) -> dict:  # fmt: skip
    """Run a release in the idle slot, gate it, and let it answer a share of clients, or copies.

    Begun again with the same parts, it changes mode and percent of the one that runs.
    """
    began = time.monotonic()
    with hold.held(layout, owner, over):
        release, slot = complete(layout, release), slots.idle(layout)
        if live_release(layout) is None:
            raise ReleaseError("No whole release is live to compare with. Deploy first.")
        running = rehearsal.state(layout)
        try:
            if running and releases.read(layout, running.release).parts == release.parts:
                release = releases.read(layout, running.release)
            else:
                rehearsal.refuse_second(running)
                check_not_bad(layout, release)
                bring(layout, release, allow_downgrade=allow_downgrade)
                _start(layout, slot, release.id)
        except (ReleaseError, OSError) as error:
            audit.record(layout, "refused", release.id, who=release.who, why=str(error))
            raise
        finally:
            clean(layout)
        wanted = Rehearsal(release.id, slot, mode, percent if mode == "canary" else 0,
                           releases.now(), owner["who"])  # fmt: skip
        rehearsal.begin(layout, wanted)
        audit.record(layout, mode, release.id, who=owner["who"], percent=wanted.percent,
                     commit=release.commit, model=release.model.get("model_id"))  # fmt: skip
    seconds = round(time.monotonic() - began, 1)
    return {"changed": True, "release": release.id, "mode": mode, "seconds": seconds}


def _start(layout: Layout, slot: str, release_id: str) -> None:
    try:
        prepare(layout, slot, release_id)
    except BaseException:
        slots.empty(layout, slot, at_once=True)
        raise


def promote(layout: Layout, owner: dict, over: str = "") -> dict:
    """Let the release that is tried serve all clients, once it passed its gate again."""
    began = time.monotonic()
    with hold.held(layout, owner, over):
        running = _running(layout)
        compared = rehearsal.report(layout)["compared"]
        activate(layout, running.release, watched=True)
        rehearsal.end(layout)
        releases.mark(layout, running.release, "good")
        release = releases.read(layout, running.release)
        seconds = round(time.monotonic() - began, 1)
        audit.record(layout, "deploy", release.id, who=owner["who"], reason=owner["reason"],
                     commit=release.commit, model=release.model.get("model_id"),
                     seconds=seconds, slot=slots.live(layout), compared=compared)  # fmt: skip
        clean(layout)
    return {"changed": True, "release": release.id, "seconds": seconds,
            "text": rehearsal.in_words(compared)}  # fmt: skip


def abort(layout: Layout, owner: dict, over: str = "") -> dict:
    """Leave all clients to the live release, and the one that was tried to its end."""
    with hold.held(layout, owner, over):
        running = _running(layout)
        compared = rehearsal.report(layout)["compared"]
        rehearsal.end(layout)
        slots.keep_warm(running.slot, DRAIN_SECONDS)
        releases.mark(layout, running.release, "aborted")
        audit.record(layout, "aborted", running.release, who=owner["who"], compared=compared)
    live = slots.release_in(layout, slots.live(layout))
    return {"changed": True, "release": live, "left": running.release,
            "text": rehearsal.in_words(compared)}  # fmt: skip


def _running(layout: Layout) -> Rehearsal:
    running = rehearsal.state(layout)
    if running is None:
        raise ReleaseError("No release is tried on this host. Begin with canary.yml or shadow.yml.")
    held = slots.release_in(layout, running.slot)
    if held != running.release or running.slot == slots.live(layout):
        rehearsal.end(layout)
        raise ReleaseError(f"{running.release} is no longer in its slot. Begin anew.")
    return running
