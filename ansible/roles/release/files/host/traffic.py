"""What Nginx logs of a release's traffic, and whether it is as it should be."""

import json
import math
import os
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

WINDOW_SECONDS = 10
LEAST_REQUESTS = 20  # fewer say nothing, however long ago they were
LEAST_BAD = 3  # one odd request is no breach


@dataclass(frozen=True)
class Request:
    """One line of Nginx's log: when it was read, its status and the classifier's seconds."""

    at: float
    status: int
    seconds: float


class Window:
    """The requests of the last seconds, or the last few where there were fewer."""

    def __init__(self, error_percent: float, p99_ms: int) -> None:
        self._error_percent, self._p99_ms = error_percent, p99_ms
        self._held: deque[Request] = deque()

    def add(self, requests: list[Request], now: float) -> None:
        self._held.extend(requests)
        while len(self._held) > LEAST_REQUESTS and self._held[0].at < now - WINDOW_SECONDS:
            self._held.popleft()

    def breach(self) -> str | None:
        """What is beyond its limit, in one line."""
        count = len(self._held)
        if count < LEAST_REQUESTS:
            return None
        errors = sum(each.status >= 500 for each in self._held)
        if errors >= LEAST_BAD and errors * 100 > self._error_percent * count:
            return (
                f"{errors} of the last {count} requests failed "
                f"(at most {self._error_percent:g} % may)."
            )
        times = sorted(each.seconds * 1000 for each in self._held)
        slow = sum(each > self._p99_ms for each in times)
        if slow >= LEAST_BAD and slow * 100 > count:
            p99 = times[math.ceil(count * 0.99) - 1]
            return (
                f"The p99 of the last {count} requests was {p99:.0f} ms "
                f"(at most {self._p99_ms} ms)."
            )
        return None


class Log:
    """What is appended to Nginx's log from now on, through its rotation."""

    def __init__(self, path: Path) -> None:
        self._path, self._rest, self._file = path, "", None
        self._open()
        if self._file:
            self._file.seek(0, 2)

    def _open(self) -> None:
        if self._path.exists():
            self._file = self._path.open(errors="replace")

    def lines(self) -> list[str]:
        """The whole lines that came since the last call."""
        text = self._rest + (self._file.read() if self._file else "")
        turned = self._path.exists() and (
            not self._file or self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        )
        if turned:
            self._open()
            text += self._file.read()
        *whole, self._rest = text.split("\n")
        return whole


# What Nginx says by itself of a full service, and of requests that no release could answer: else a
# stranger who sends such would decide which release serves
NOT_ITS_DOING = (501, 503, 505)


def requests_of(lines: list[str], release_id: str, now: float) -> list[Request]:
    """Those requests that a release answered or should have; overload is not its doing."""
    found = []
    for line in lines:
        try:
            said = json.loads(line)
            status, path, by = said["status"], said["path"], said.get("release_id", "")
        except (ValueError, KeyError):
            continue  # a line cut off by a rotation
        if not path.startswith("/v1/") or path.startswith("/v1/classify/stream"):
            continue  # a stream lasts as long as its client
        if by not in ("", release_id) or (not by and status in NOT_ITS_DOING):
            continue
        seconds = sum(map(float, re.findall(r"[0-9.]+", said.get("upstream_seconds", ""))))
        found.append(Request(now, status, seconds))
    return found
