"""The steps from parts to a release that serves, and back to an earlier one."""

import contextlib
import fcntl
import time
from collections.abc import Iterator

import assets
import releases
import slots
import store
import trial
from layout import PARTS, Layout, ReleaseError
from releases import Release
from trial import Trial


@contextlib.contextmanager
def locked(layout: Layout, *, wait: bool = False) -> Iterator[None]:
    """One change at a time; the kernel frees the lock when its owner ends, however it ends."""
    with (layout.root / "lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise ReleaseError("Another deploy is changing this host. Wait for its end.") from error
        yield


def live_release(layout: Layout) -> Release | None:
    held = slots.release_in(layout, slots.live(layout))
    return releases.read(layout, held) if held else None


def is_live(layout: Layout, parts: dict[str, str]) -> bool:
    """Do exactly these parts serve, started with today's unit files?"""
    release = live_release(layout)
    return (
        release is not None
        and release.parts == parts
        and not store.damaged(layout, parts)
        and slots.is_current(layout, slots.live(layout))
    )


def deploy(
    layout: Layout, release: Release, trial_seconds: int = 0, *, exact_id: bool = False
) -> dict:
    """Install what the store lacks, start the release in the idle slot, gate it, switch to it.

    With `trial_seconds` the switch is undone after that time unless `confirm` came before.
    With `exact_id` the same parts under another id are another release.
    """
    began = time.monotonic()
    with locked(layout):
        try:
            live = slots.release_in(layout, slots.live(layout))
            if is_live(layout, release.parts) and live == (release.id if exact_id else live):
                releases.mark(
                    layout, live, "good"
                )  # a deploy killed after its switch left it staged
                return {"changed": False, "release": live}
            for part in PARTS:
                store.install(layout, part, release.parts[part])
            assets.publish(layout)
            releases.create(layout, release)
            with trial.begun(
                layout, Trial(release.id, live, {release.id: "rolled_back"}), trial_seconds
            ):
                activate(layout, release.id)
            releases.mark(layout, release.id, "good")
        except (ReleaseError, OSError) as error:
            releases.record(layout, "refused", release.id, who=release.who, why=str(error))
            raise
        finally:
            clean(layout)
        seconds = round(time.monotonic() - began, 1)
        slot = slots.live(layout)
        releases.record(layout, "deploy", release.id, who=release.who, seconds=seconds, slot=slot)
    return {"changed": True, "release": release.id, "seconds": seconds}


def activate(layout: Layout, release_id: str) -> None:
    """Start, gate, switch, prove; whatever fails, the old slot serves on, the new is empty."""
    before, slot = slots.live(layout), slots.idle(layout)
    warm = slots.release_in(layout, slot) == release_id and slots.is_current(layout, slot)
    try:
        if warm:
            slots.keep_warm(slot, None)
        else:
            slots.start(layout, slot, release_id)
        slots.gate(layout, slot, release_id)
        if before:  # with a date set before the switch, a kill after it leaves no slot warm forever
            program = ["/usr/bin/python3", "/usr/local/lib/frontdesk/release.pyz"]
            slots.keep_warm(before, layout.warm_seconds, [*program, "retire", before])
        slots.switch(layout, slot)
        slots.ask_edge(layout, release_id)
    except BaseException:
        slots.switch(layout, before)
        slots.empty(layout, slot)
        raise


def rollback(layout: Layout, to: str | None, who: str, trial_seconds: int = 0) -> dict:
    """Return to the newest good release before the live one, or to a named one."""
    began = time.monotonic()
    with locked(layout):
        current = live_release(layout)
        if current is None:
            raise ReleaseError("Nothing is live on this host. Deploy first.")
        target = releases.read(layout, to or _previous_good(layout, current))
        if target.id == current.id:
            raise ReleaseError(f"Release {target.id} is live already.")
        if releases.mark(layout, target.id) == "staged":
            raise ReleaseError(f"Release {target.id} never passed its gate. Deploy it instead.")
        if damaged := store.damaged(layout, target.parts):
            raise ReleaseError(
                f"The {' and the '.join(damaged)} of release {target.id} are not as they were "
                "installed. Deploy it anew instead."
            )
        marks = {current.id: releases.mark(layout, current.id)}
        with trial.begun(layout, Trial(target.id, current.id, marks), trial_seconds):
            activate(layout, target.id)
        releases.mark(layout, current.id, "rolled_back")
        releases.mark(layout, target.id, "good")
        releases.record(layout, "rollback", target.id, who=who, left=current.id,
                        slot=slots.live(layout))  # fmt: skip
    seconds = round(time.monotonic() - began, 1)
    return {"changed": True, "release": target.id, "left": current.id, "seconds": seconds}


def confirm(layout: Layout) -> dict:
    """Let the release that is on trial stand."""
    with locked(layout, wait=True):
        held = trial.pending(layout)
        trial.end(layout)
        return {
            "changed": held is not None,
            "release": slots.release_in(layout, slots.live(layout)),
        }


def withdraw(layout: Layout, who: str, why: str) -> dict:
    """Return from the release that is on trial to what served before it, be it nothing."""
    with locked(layout, wait=True):
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
        releases.record(layout, "withdrawn", held.release, who=who, why=why, back_to=held.before)
    return {"changed": True, "release": held.before, "left": held.release}


def earlier(layout: Layout, current: Release) -> list[str]:
    """The good releases before the current one, oldest first."""
    return [
        each.id
        for each in releases.listed(layout)
        if (each.created, each.id) < (current.created, current.id)
        and releases.mark(layout, each.id) == "good"
    ]


def _previous_good(layout: Layout, current: Release) -> str:
    older = earlier(layout, current)
    if not older:
        raise ReleaseError(
            f"There is no good release older than {current.id} on this host. Nothing was changed."
        )
    return older[-1]


def retire(layout: Layout, slot: str) -> dict:
    """Stop the slot that a deploy left warm, unless it serves again by now."""
    with locked(layout, wait=True):
        if slot == slots.live(layout):
            return {"changed": False}
        slots.stop(layout, slot)
    return {"changed": True}


def clean(layout: Layout) -> None:
    """Remove what nobody needs: old and half-made releases, and parts that no release uses."""
    held = {slots.release_in(layout, slot) for slot in layout.slots}
    if waiting := trial.pending(layout):
        held.add(waiting.before)
    releases.prune(layout, held - {None})
    kept = releases.listed(layout)
    store.prune(layout, {part: {each.parts[part] for each in kept} for part in PARTS})
    assets.publish(layout)
