"""The host's history: what happened to its releases, one line an event, never changed again.

Each line carries a sum of the line before it, so that a changed or missing one shows; where the
file system can, the file takes nothing but more lines (chattr +a).
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from layout import Layout
from releases import now

LIMIT_BYTES = 1_000_000
KEPT = 5  # files, the current one and those before it


def record(layout: Layout, event: str, release_id: str, **facts: object) -> None:
    """Append one event, with what is to be told of it."""
    if layout.history.exists() and layout.history.stat().st_size > LIMIT_BYTES:
        _rotate(layout.history)
    said = {"time": now(), "event": event, "release": release_id, **facts}
    line = json.dumps({**said, "after": _sum(_last_line(layout))})
    fresh = not layout.history.exists()
    with layout.history.open("a") as stream:
        stream.write(f"{line}\n")
        stream.flush()
        os.fsync(stream.fileno())
    if fresh:
        _append_only(layout.history, "+a")


def history(layout: Layout) -> list[dict]:
    """The host's history, oldest first; a last line cut off by a crash is left out."""
    return [event for _, event in _read(layout) if event is not None]


def changed_by_hand(layout: Layout) -> str | None:
    """The time of the first event that does not follow on the one before it."""
    before, chained = "", False
    for line, event in _read(layout):
        if event is None:
            continue  # no line was ever made to follow on one that was cut off
        after = event.get("after")
        if (chained or after) and before and after != _sum(before):
            return event["time"]
        before, chained = line, bool(after)
    return None


def _files(layout: Layout) -> list[Path]:
    """Oldest first."""
    rotated = [layout.history.with_name(f"{layout.history.name}.{n}") for n in range(KEPT, 0, -1)]
    return [path for path in (*rotated, layout.history) if path.exists()]


def _read(layout: Layout) -> Iterator[tuple[str, dict | None]]:
    for path in _files(layout):
        for line in path.read_text().splitlines():
            try:
                yield line, json.loads(line)
            except ValueError:  # only a crash in the middle of an append leaves such a line
                yield line, None


def _last_line(layout: Layout) -> str:
    last = ""
    for line, event in _read(layout):
        last = line if event is not None else last
    return last


def _sum(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:32] if line else ""


def _rotate(path: Path) -> None:
    """Move each file one further; what falls off the end is the oldest."""
    for number in range(KEPT - 1, -1, -1):
        old = path.with_name(f"{path.name}.{number}") if number else path
        if old.exists():
            new = path.with_name(f"{path.name}.{number + 1}")
            for each in (old, new):
                _append_only(each, "-a")
            old.replace(new)
            _append_only(new, "+a")


def _append_only(path: Path, mode: str) -> None:
    """Where file system, container or a minimal Debian don't know it, the sums alone tell."""
    if path.exists() and shutil.which("chattr"):
        subprocess.run(["chattr", mode, str(path)], capture_output=True, check=False)
