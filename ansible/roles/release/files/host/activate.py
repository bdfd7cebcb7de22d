"""The change from one serving slot to the other, proven before and after."""

import time

import audit
import rehearsal
import releases
import slots
import store
from layout import Layout
from releases import Release


def live_release(layout: Layout) -> Release | None:
    """None where nothing serves, or where the record of what serves is damaged or missing."""
    held = slots.release_in(layout, slots.live(layout))
    return releases.find(layout, held) if held else None


def is_live(layout: Layout, parts: dict[str, str]) -> bool:
    """Do exactly these parts serve, started with today's unit files?"""
    release = live_release(layout)
    return (
        release is not None
        and release.parts == parts
        and not store.damaged(layout, parts)
        and not releases.changed_files(layout, release)
        and slots.is_current(layout, slots.live(layout))
    )


def activate(layout: Layout, release_id: str, *, watched: bool = False) -> None:
    """Start, gate, switch, prove; whatever fails, the old slot serves on, the new is empty."""
    before, slot, switched = slots.live(layout), slots.idle(layout), False
    try:
        prepare(layout, slot, release_id)
        if before:  # before the switch, so that a kill after it leaves nothing warm or unwatched
            slots.keep_warm(before, layout.warm_seconds)
        if watched:
            slots.keep_watch(release_id)
        switched = True
        slots.switch(layout, slot)
        slots.ask_edge(layout, release_id)
    except BaseException:
        slots.switch(layout, before)
        slots.empty(layout, slot, at_once=not switched)
        raise


def prepare(layout: Layout, slot: str, release_id: str) -> None:
    """Have a release run in a slot that does not serve, and pass its gate there, in time."""
    deadline = time.monotonic() + layout.gate_timeout_seconds
    if slots.release_in(layout, slot) == release_id and slots.is_current(layout, slot):
        slots.keep_warm(slot, None)
    else:
        if (tried := rehearsal.state(layout)) and tried.slot == slot:
            rehearsal.end(layout)
            audit.record(layout, "aborted", tried.release, who="this host",
                         why=f"{release_id} needed its slot.")  # fmt: skip
        slots.start(layout, slot, release_id, layout.gate_timeout_seconds)
    slots.gate(layout, slot, release_id, deadline - time.monotonic())
