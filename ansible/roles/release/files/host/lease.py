"""Who may change this host's releases: one owner at a time, with a reason and for a while.

Also a program of its own, since a host is locked before it holds the release program:
`python3 - take|free JSON < lease.py` prints one JSON line; exit code 1 when another holds the host.
"""

import contextlib
import fcntl
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

PATH = Path("/run/lock/frontdesk-release.json")  # in memory: a restart of the host frees it
SECONDS = 600


def take(owner: dict, over: str = "") -> dict:
    """Take the lease: {"taken", "renewed"}; where another holds it {"taken", "error", "holder"}.

    `owner` holds token, who and reason; `lease_seconds` where the usual length won't do. A lease
    that ran out is taken over, and so is that of the token `over`, whose owner is known to be gone.
    """
    now = _now()
    with _opened() as (file, holder):
        mine = holder.get("token") == owner["token"]
        if holder and not mine and holder["ends"] > now and holder["token"] != over:
            return {"taken": False, "error": _refusal(holder, now), "holder": holder}
        held = {**owner, "begun": holder["begun"] if mine else now,
                "ends": now + owner.get("lease_seconds", SECONDS)}  # fmt: skip
        _write(file, held)
        return {"taken": True, "renewed": mine}


def free(owner: dict) -> dict:
    """Give the lease back; another's is left alone."""
    with _opened() as (file, holder):
        if holder.get("token") == owner["token"]:
            _write(file, {})
    return {"freed": True}


def holder() -> dict | None:
    """Who holds the lease now."""
    with _opened() as (_, held):
        return held if held and held["ends"] > _now() else None


@contextlib.contextmanager
def _opened() -> Iterator[tuple[IO[str], dict]]:
    with PATH.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        try:
            held = json.load(file)
        except ValueError:  # new, or cut off by a crash
            held = {}
        yield file, held if "ends" in held else {}  # what an older program noted holds nothing


def _now() -> float:
    """Seconds since the host started: a clock that is set anew makes no lease longer or shorter."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _write(file: IO[str], held: dict) -> None:
    file.truncate(0)
    file.write(json.dumps(held))
    file.flush()


def _refusal(holder: dict, now: float) -> str:
    seconds = now - holder["begun"]
    since = datetime.fromtimestamp(time.time() - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"{holder['who']} holds this host since {since} ({seconds:.0f} s ago) to "
        f"{holder['reason']}. Wait for the end of that; if nothing renews it, it ends by itself in "
        f"{holder['ends'] - now:.0f} s."
    )


def main(verb: str, owner: str, over: str = "") -> int:
    answer = take(json.loads(owner), over) if verb == "take" else free(json.loads(owner))
    print(json.dumps(answer))
    return 1 if answer.get("error") else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
