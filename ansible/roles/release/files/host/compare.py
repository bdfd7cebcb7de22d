"""Asks the live release and the one that is tried the same, and keeps count of the difference.

Nginx sends it copies of requests. Each is taken at once and looked at later, or not at all where
too many come: no client waits for it, and none gets an answer of it.
"""

import asyncio
import itertools
import json
import math
import os
import re
import time
from collections import Counter, deque
from pathlib import Path

from layout import Layout

WAITING = 64  # copies that wait for their turn; what comes beyond is left out
PER_SECOND = 20  # copies that are looked at: each asks both releases once more
ANSWER_SECONDS = 5
KEPT_TIMES = 2000
PASSED_ON = ("content-type", "content-encoding", "authorization")


class Tally:
    """What was compared so far."""

    def __init__(self) -> None:
        self.counts = Counter(requests=0, texts=0, agreed=0, left_out=0, failed=0)
        self.flips: Counter[tuple[str, str]] = Counter()
        self.times = {side: deque(maxlen=KEPT_TIMES) for side in ("live", "candidate")}

    def add(self, answers: dict[str, tuple[int, list[str], float]]) -> None:
        """Take one request's (status, labels, seconds) of both sides."""
        (status, labels, _), (other_status, other_labels, _) = answers["live"], answers["candidate"]
        if status != 200:
            return  # the client's mistake, or the live release's trouble: nothing to compare with
        self.counts["requests"] += 1
        if other_status != 200 or len(labels) != len(other_labels):
            self.counts["failed"] += 1
            return
        for side, (_, _, seconds) in answers.items():
            self.times[side].append(seconds * 1000)
        self.counts["texts"] += len(labels)
        for one, other in zip(labels, other_labels, strict=True):
            self.counts["agreed"] += one == other
            if one != other:
                self.flips[one, other] += 1

    def report(self) -> dict:
        """JSON-ready: counts, agreement (0..1), flips (most frequent first), times in ms."""
        texts = self.counts["texts"]
        flips = [{"live": one, "candidate": other, "count": count}
                 for (one, other), count in self.flips.most_common(50)]  # fmt: skip
        times = {side: _quantiles(held) for side, held in self.times.items()}
        more = {
            name: round(times["candidate"][name] - times["live"][name], 3) for name in times["live"]
        }
        agreement = round(self.counts["agreed"] / texts, 4) if texts else None
        return {**self.counts, "agreement": agreement, "flips": flips,
                "milliseconds": {**times, "difference": more}}  # fmt: skip


def _quantiles(times: deque[float]) -> dict[str, float]:
    held = sorted(times)
    return {
        name: round(held[math.ceil(len(held) * share) - 1], 3)
        for name, share in (("p50", 0.5), ("p99", 0.99))
        if held
    }


class Comparison:
    """Takes copies on one socket and asks the two others."""

    def __init__(self, sockets: dict[str, Path]) -> None:
        self.tally = Tally()
        self._sockets = sockets
        self._turn = itertools.cycle([("live", "candidate"), ("candidate", "live")])
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a copy, say so, and be done with Nginx."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int((re.search(r"(?im)^content-length: *(\d+)", head) or [0, "0"])[1])
            body = await reader.readexactly(length)
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            self._waiting.put_nowait(_question(head, body))
        except asyncio.QueueFull:
            self.tally.counts["left_out"] += 1
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # Nginx hung up in the middle: there is nothing to compare
        finally:
            writer.close()

    async def look(self) -> None:
        """Ask both releases what waits, one after the other, in turn, at a bounded rate."""
        while True:
            question = await self._waiting.get()
            answers = {}
            for side in next(self._turn):
                answers[side] = await _ask(self._sockets[side], question)
            self.tally.add(answers)
            await asyncio.sleep(1 / PER_SECOND)


def _question(head: str, body: bytes) -> bytes:
    lines = [line for line in head.split("\r\n")[1:] if line.split(":")[0].lower() in PASSED_ON]
    lines += ["Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    return ("POST /v1/classify HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _ask(socket: Path, question: bytes) -> tuple[int, list[str], float]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(question)
            answer = await reader.read()
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        labels = [each["label"] for each in json.loads(body)["results"]] if status == 200 else []
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, TimeoutError):
        return 0, [], 0.0
    return status, labels, time.monotonic() - began


async def serve(layout: Layout, slot: str) -> None:
    """Take copies until ended, and keep the report of them up to date."""
    sockets = {"live": layout.live / "http.sock", "candidate": layout.slot(slot) / "http.sock"}
    comparison, folder = Comparison(sockets), layout.compare_dir
    path = folder / "http.sock"
    path.unlink(missing_ok=True)
    os.umask(0o077)
    server = await asyncio.start_unix_server(comparison.take, str(path), limit=1 << 20)
    async with server, asyncio.TaskGroup() as group:
        group.create_task(comparison.look())
        group.create_task(_write(comparison.tally, folder / "report.json"))


async def _write(tally: Tally, path: Path) -> None:
    while True:
        fresh = path.with_name(".report")
        fresh.write_text(json.dumps(tally.report()) + "\n")
        fresh.chmod(0o644)
        fresh.replace(path)
        await asyncio.sleep(1)
