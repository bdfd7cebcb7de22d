"""The ways back to an earlier release, and the end of what was kept for them."""

import time

import audit
import hold
import releases
import slots
import store
import trial
from activate import activate
from layout import Layout, ReleaseError
from releases import Release
from trial import Trial


def rollback(
    layout: Layout, to: str | None, owner: dict, over: str = "", *, trial_seconds: int = 0
) -> dict:
    """Return to the newest good release before the live one, or to a named one."""
    began = time.monotonic()
    with hold.held(layout, owner, over):
        current = slots.release_in(layout, slots.live(layout))
        if current is None:
            raise ReleaseError("Nothing is live on this host. Deploy first.")
        target = releases.read(layout, to or _previous_good(layout, current))
        _check(layout, target, current)
        way_back = Trial(target.id, current, {current: releases.mark(layout, current)})
        with trial.begun(layout, way_back, trial_seconds):
            activate(layout, target.id)
        releases.mark(layout, current, "rolled_back")
        releases.mark(layout, target.id, "good")
        audit.record(layout, "rollback", target.id, who=owner["who"], left=current,
                     reason=owner["reason"], slot=slots.live(layout))  # fmt: skip
    seconds = round(time.monotonic() - began, 1)
    return {"changed": True, "release": target.id, "left": current, "seconds": seconds}


def _check(layout: Layout, target: Release, current: str) -> None:
    if target.id == current:
        raise ReleaseError(f"Release {target.id} is live already.")
    if (mark := releases.mark(layout, target.id)) in ("staged", "bad", "aborted"):
        raise ReleaseError(
            f"Release {target.id} is marked {mark}. Go back to a good one: status.yml"
        )
    if damaged := store.damaged(layout, target.parts):
        raise ReleaseError(
            f"The {' and the '.join(damaged)} of release {target.id} are not as they were "
            "installed. Deploy it anew instead."
        )


def earlier(layout: Layout, current: str) -> list[str]:
    """The good releases before the current one, oldest first; all others where it has no record."""
    ids = [each.id for each in releases.listed(layout)]
    before = ids[: ids.index(current)] if current in ids else ids
    return [each for each in before if releases.mark(layout, each) == "good"]


def _previous_good(layout: Layout, current: str) -> str:
    older = earlier(layout, current)
    if not older:
        raise ReleaseError(
            f"There is no good release older than {current} on this host. Nothing was changed."
        )
    return older[-1]


def confirm(layout: Layout) -> dict:
    """Let the release that is on trial stand."""
    with hold.working(layout):
        held = trial.pending(layout)
        trial.end(layout)
        return {
            "changed": held is not None,
            "release": slots.release_in(layout, slots.live(layout)),
        }


def withdraw(layout: Layout, who: str, why: str) -> dict:
    """Return from the release that is on trial to what served before it, be it nothing."""
    with hold.working(layout):
        held, slot = trial.pending(layout), slots.live(layout)
        if held is None or held.release != slots.release_in(layout, slot):
            trial.end(layout)  # another release serves by now: nothing to return from
            return {"changed": False, "release": slots.release_in(layout, slot)}
        if held.before:
            activate(layout, held.before)
        else:
            slots.switch(layout, None)
            slots.empty(layout, slot)
        for release_id, mark in held.marks.items():
            if (layout.releases / release_id).exists():
                releases.mark(layout, release_id, mark)
        trial.end(layout)
        audit.record(layout, "withdrawn", held.release, who=who, why=why, back_to=held.before)
    return {"changed": True, "release": held.before, "left": held.release}


def retire(layout: Layout, slot: str) -> dict:
    """Stop the slot that a deploy left warm, unless it serves again by now."""
    with hold.working(layout):
        if slot == slots.live(layout):
            return {"changed": False}
        slots.stop(layout, slot)
    return {"changed": True}
