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
    live = activate.live_release(layout)
    return {
        "program": _sum(PROGRAM),
        "settings": _sum(SETTINGS),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "libc": platform.libc_ver()[1],
        "free_bytes": disk.f_bavail * disk.f_frsize,
        "available_memory_bytes": _available_memory(),
        "live": live.parts if live else None,
        "live_id": live.id if live else None,
        "on_trial": trial.pending(layout) is not None,
        "live_is_current": bool(live) and activate.is_live(layout, live.parts),
        "damaged": store.damaged(layout, live.parts) if live else [],
        "changed_files": changed_files(layout, live) if live else [],
        "store": store.held(layout),
    }


def overview(layout: Layout) -> dict:
    """Live release, slot, model and the last ten releases with their fate; JSON-ready."""
    slot = slots.live(layout)
    live = activate.live_release(layout)
    last, events = releases.listed(layout)[-10:], audit.history(layout)
    return {
        "live": _describe(layout, live) if live else None,
        "live_id": live.id if live else None,
        "made_of": bill.in_short(layout, live.id) if live else {},
        "slot": slot,
        "watched": bool(live) and slots.is_watched(),
        "tried": rehearsal.report(layout),
        "lock": lease.holder(),
        "warnings": _warnings(layout, live, slot) if live else [],
        "releases": [_describe(layout, each) for each in reversed(last)],
        "fates": fates(events)[:10],
        "earlier": rollback.earlier(layout, live) if live else [],
        "events": events[-10:],
    }


def as_text(found: dict) -> str:
    """The same for people, one line a fact."""
    live = found["live"]
    if live is None:
        return "Nothing is live. Deploy with: ansible-playbook deploy.yml"
    lines = [
        f"live       {live['id']} in slot {found['slot']}, {live['age']} old, "
        f"by {live['who']}, commit {live['commit']}"
        + (", watched" if found["watched"] else ""),
        f"model      {live['model']['model_id']}, accuracy {live['model']['accuracy']:.3f}",
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


def _warnings(layout: Layout, live: releases.Release, slot: str) -> list[str]:
    found = []
    if not slots.is_running(slot):
        found.append(f"classifier@{slot}.service does not run. Look: journalctl -u it; deploy.")
    elif not slots.is_current(layout, slot):
        found.append("The live slot was started with older unit files than today's: deploy.")
    try:
        slots.ask_edge(layout, live.id, seconds=2)
    except ReleaseError as error:
        found.append(f"{error} Expected {live.id}, got {error.details['got']}.")
    if waiting := trial.pending(layout):
        found.append(
            f"{waiting.release} is on trial: without a confirmation this host returns to "
            f"{waiting.before or 'nothing'}. Deploy again."
        )
    if since := audit.changed_by_hand(layout):
        found.append(f"{layout.history} was changed by hand before the line of {since}.")
    if files := ", ".join(changed_files(layout, live)):
        found.append(f"Files of the live release were changed by hand ({files}): deploy.")
    return found


def changed_files(layout: Layout, live: releases.Release) -> list[str]:
    """The first twenty paths in the live release that are not as they were installed."""
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
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _available_memory() -> int:
    with open("/proc/meminfo") as lines:  # noqa: PTH123 - a kernel file, read line by line
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return int(kilobytes) * 1024
