"""What serves on this host, and how it came to be so."""

import hashlib
import os
import platform
from datetime import datetime
from pathlib import Path

import activate
import audit
import bill
import lease
import rehearsal
import releases
import rollback
import slots
import store
import trial
from layout import PARTS, PROGRAM, SETTINGS, Layout, ReleaseError


def inspect(layout: Layout) -> dict:
    """What a control machine must know to make and send what this host lacks."""
    layout.incoming.mkdir(parents=True, exist_ok=True)
    disk = os.statvfs(layout.root)
    live, live_id = _served(layout)
    return {
        "program": _sum(PROGRAM),
        "settings": _sum(SETTINGS),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "libc": platform.libc_ver()[1],
        "free_bytes": disk.f_bavail * disk.f_frsize,
        "available_memory_bytes": _available_memory(),
        "live": live.parts if live else None,
        "live_id": live_id,
        "on_trial": trial.pending(layout) is not None,
        "live_is_current": bool(live) and activate.is_live(layout, live.parts),
        "damaged": store.damaged(layout, live.parts) if live else [],
        "changed_files": _changed_files(layout, live, live_id),
        "store": store.held(layout),
    }


def overview(layout: Layout) -> dict:
    """Live release, slot, model and the last ten releases with their fate; JSON-ready."""
    slot = slots.live(layout)
    live, live_id = _served(layout)
    last, events = releases.listed(layout)[-10:], audit.history(layout)
    return {
        "live": _describe(layout, live) if live else None,
        "live_id": live_id,
        "made_of": bill.in_short(layout, live_id) if live_id else {},
        "slot": slot,
        "watched": bool(live_id) and slots.is_watched(),
        "tried": rehearsal.report(layout),
        "lock": lease.holder(),
        "warnings": _warnings(layout, slot) if live_id else [],
        "releases": [_describe(layout, each) for each in reversed(last)],
        "fates": fates(events)[:10],
        "earlier": rollback.earlier(layout, live_id) if live_id else [],
        "events": events[-10:],
    }


def as_text(found: dict) -> str:
    """The same for people, one line a fact."""
    live = found["live"]
    if found["live_id"] is None:
        return "Nothing is live. Deploy with: ansible-playbook deploy.yml"
    lines = [
        f"live       {found['live_id']} in slot {found['slot']}"
        + (f", {live['age']} old, by {live['who']}, commit {live['commit']}" if live else "")
        + (", watched" if found["watched"] else ""),
        *([f"model      {live['model'].get('model_id', 'unknown')}, "
           f"accuracy {live['model'].get('accuracy', 0):.3f}"] if live else []),
        "releases   " + "\n           ".join(
            f"{each['id']}  {each['fate']:<11}  {each['age']:>10}  model {each['model'] or '-'}"
            f"  by {each['who']}  {each['why']}".rstrip()
            for each in found["fates"]
        ),
    ]  # fmt: skip
    if made_of := found["made_of"]:
        lines.append(f"made of    {made_of['packages']} Python packages: {made_of['path']}")
    lines += tried(found["tried"]) if found["tried"] else []
    if held := found["lock"]:
        lines.append(f"locked     by {held['who']}, to {held['reason']}")
    lines += [f"warning    {each}" for each in found["warnings"]]
    return "\n".join(lines)


def _served(layout: Layout) -> tuple[releases.Release | None, str | None]:
    """The live release, where its record is whole, and its id."""
    return activate.live_release(layout), slots.release_in(layout, slots.live(layout))


def _warnings(layout: Layout, slot: str) -> list[str]:
    (live, live_id), found = _served(layout), []
    if not slots.is_running(slot):
        found.append(f"classifier@{slot}.service does not run. Look: journalctl -u it; deploy.")
    elif not slots.is_current(layout, slot):
        found.append("The live slot was started with older unit files than today's: deploy.")
    try:
        slots.ask_edge(layout, live_id, seconds=2)
    except ReleaseError as error:
        found.append(f"{error} Expected {live_id}, got {error.details['got']}.")
    if waiting := trial.pending(layout):
        found.append(
            f"{waiting.release} is on trial: without a confirmation this host returns to "
            f"{waiting.before or 'nothing'}. Deploy again."
        )
    if since := audit.changed_by_hand(layout):
        found.append(f"{layout.history} was changed by hand before the line of {since}.")
    if files := ", ".join(_changed_files(layout, live, live_id)):
        found.append(f"Files of the live release were changed by hand ({files}): deploy.")
    return found


def _changed_files(layout: Layout, live: releases.Release | None, live_id: str | None) -> list[str]:
    """The first twenty paths in the live release that are not as they were installed."""
    if live is None:
        return [releases.RECORD] if live_id else []
    installed = [
        f"{part}/{name}"
        for part in PARTS
        for name in store.changed_files(layout, part, live.parts[part])
    ]
    return (releases.changed_files(layout, live) + installed)[:20]


def tried(found: dict) -> list[str]:
    """What is tried beside the live release, and how it compares."""
    share = f" with {found['percent']} % of the clients" if found["mode"] == "canary" else ""
    return [f"tried      {found['release']} as {found['mode']}{share}, since {found['since']}, "
            f"by {found['who']}", *rehearsal.in_words(found["compared"])]  # fmt: skip


FATES = {"deploy": "good", "refused": "refused", "breach": "bad", "withdrawn": "rolled_back",
         "canary": "canary", "shadow": "shadow", "aborted": "aborted"}  # fmt: skip


def fates(events: list[dict]) -> list[dict]:
    """What became of each release that was tried here, the latest try first."""
    found: dict[str, dict] = {}
    for event in events:
        if event["event"] == "rollback":
            for release_id, fate in ((event["left"], "rolled_back"), (event["release"], "good")):
                if release_id in found:
                    found[release_id]["fate"] = fate
        elif event["event"] in FATES:
            first = {"id": event["release"], "model": event.get("model"), "who": event["who"],
                     "age": _age_since(event["time"])}  # fmt: skip
            told = found.pop(event["release"], first)
            found[event["release"]] = told | {
                "fate": FATES[event["event"]], "why": event.get("why", "")
            }  # fmt: skip
    return list(found.values())[::-1]


def _describe(layout: Layout, release: releases.Release) -> dict:
    return {
        "id": release.id,
        "created": release.created,
        "age": _age_since(release.created),
        "who": release.who,
        "commit": release.commit,
        "model": {name: value for name, value in release.model.items() if name != "signature"},
        "mark": releases.mark(layout, release.id),
    }


def _age_since(time: str) -> str:
    then = datetime.fromisoformat(time)
    seconds = int((datetime.now(then.tzinfo) - then).total_seconds())
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _sum(path: Path) -> str:
    """Of a file that is there and, with its folder, as it was installed; else empty."""
    for place, mode in ((path.parent, 0o755), (path, 0o644)):
        if not place.exists() or place.is_symlink():
            return ""
        facts = place.lstat()
        if facts.st_uid or facts.st_gid or facts.st_mode & 0o7777 != mode:
            return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _available_memory() -> int:
    with open("/proc/meminfo") as lines:  # noqa: PTH123 - a kernel file, read line by line
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return int(kilobytes) * 1024
