"""A release that is tried beside the live one: its state, its share of the clients, its end."""

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from layout import PROGRAM, Layout, ReleaseError, link, write

SANDBOX = (
    "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
    "NoNewPrivileges=yes", "CapabilityBoundingSet=", "RestrictAddressFamilies=AF_UNIX",
    "MemoryMax=128M", "Nice=10", "Restart=always", "RestartSec=1",
)  # fmt: skip


@dataclass(frozen=True)
class Rehearsal:
    """`mode` canary: `percent` of the clients get its answers; shadow: none does."""

    release: str
    slot: str
    mode: str
    percent: int
    since: str
    who: str


def state(layout: Layout) -> Rehearsal | None:
    """What is being tried now."""
    path = _path(layout)
    return Rehearsal(**json.loads(path.read_text())) if path.exists() else None


def begin(layout: Layout, wanted: Rehearsal) -> None:
    """Send the clients' share, and copies of requests, to a slot that runs and passed its gate."""
    write(_path(layout), json.dumps(asdict(wanted)) + "\n")
    share, fresh = _share(layout, wanted.slot), _share(layout, wanted.slot).with_name(".share")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for number in range(wanted.percent):
        (fresh / str(number)).touch()
    link(layout.root / "candidate", f"slots/{wanted.slot}")
    _drop(share)
    fresh.rename(share)
    compare(layout, wanted)


def end(layout: Layout) -> None:
    """Leave all clients to the live slot again; what is in flight in the other is answered."""
    for slot in layout.slots:
        _drop(_share(layout, slot))
    _stop(layout)
    _path(layout).unlink(missing_ok=True)


def report(layout: Layout) -> dict | None:
    """What is tried, and how its answers compare with those of the live release."""
    found = state(layout)
    if found is None:
        return None
    path = layout.compare_dir / "report.json"
    compared = json.loads(path.read_text()) if path.exists() else {"requests": 0}
    return {**asdict(found), "compared": compared}


def in_words(counts: dict) -> list[str]:
    """Agreement, flips and times of a release and the one tried beside it."""
    if not counts.get("texts"):
        return [f"           nothing compared yet ({counts.get('failed', 0)} copies failed)"]
    times = counts["milliseconds"]
    return [
        f"           {counts['agreement']:.2%} of {counts['texts']} texts got the same label; "
        f"of {counts['requests']} copies {counts['failed']} failed",
        f"           p50 {times['candidate']['p50']} ms ({times['difference']['p50']:+} ms), "
        f"p99 {times['candidate']['p99']} ms ({times['difference']['p99']:+} ms)",
        *(f"           {each['count']:>5} x {each['live']} -> {each['candidate']}"
          for each in counts["flips"][:10]),
    ]  # fmt: skip


def compare(layout: Layout, wanted: Rehearsal) -> None:
    """Have systemd run what compares the answers, as a user that may connect to both slots."""
    _stop(layout)
    unit = layout.compare_dir.name
    properties = [f"RuntimeDirectory={unit}", f"User={layout.gate_user}", *SANDBOX]
    subprocess.run(
        ["systemd-run", "--quiet", "--collect", f"--unit={unit}",
         *(f"--property={each}" for each in properties),
         "/usr/bin/python3", str(PROGRAM), "compare", wanted.slot],
        capture_output=True, text=True, check=True,
    )  # fmt: skip


def refuse_second(running: Rehearsal | None) -> None:
    """One release is tried at a time, and none is deployed meanwhile: there are two slots."""
    if running:
        raise ReleaseError(
            f"{running.release} is tried here as {running.mode} since {running.since}, by "
            f"{running.who}. First promote.yml or abort.yml."
        )


def _stop(layout: Layout) -> None:
    """With it goes its folder, by which Nginx knows that copies are wanted."""
    unit = f"{layout.compare_dir.name}.service"
    subprocess.run(["systemctl", "stop", unit], capture_output=True, check=False)


def _path(layout: Layout) -> Path:
    return layout.root / "rehearsal.json"


def _share(layout: Layout, slot: str) -> Path:
    """A file for each percent of the clients that Nginx leads to this slot."""
    return layout.slot(slot) / "share"


def _drop(share: Path) -> None:
    """In one rename: a client is led to one release or to the other, as long as it goes on."""
    gone = share.with_name(".gone")
    shutil.rmtree(gone, ignore_errors=True)
    if share.exists():
        share.rename(gone)
        shutil.rmtree(gone)
