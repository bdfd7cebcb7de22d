"""What only the product is asked: batches, overload, and how soon a new worker answers."""

import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import load_tools
import stacks
from open_loop import OpenLoop, Outcome
from server_processes import Server
from stacks import Bench

BATCH = 64
_UNLOADED_SHARE = 0.3  # of capacity
_UNLOADED_SECONDS = 10
_OVERLOAD_TIMES, _OVERLOAD_SECONDS = 3, 30
_WINDOW_SECONDS = 0.25


def measure(bench: Bench, seconds: int, rounds: int) -> dict[str, Any]:
    """Return {"batch", "overload", "worker_start_seconds"}, each measured on a fresh start."""
    found: dict[str, Any] = {}
    with _running(bench) as (url, _):
        found["batch"] = _measure_batches(bench, url, seconds, rounds)
    with _running(bench) as (url, _):
        found["overload"] = _measure_overload(bench, url, seconds)
    with _running(bench, APP_WORKERS=1) as (url, server):
        times = [_time_new_worker(bench, url, server) for _ in range(rounds)]
        found["worker_start_seconds"] = statistics.median(times)
    return found


@contextmanager
def _running(bench: Bench, **settings: object) -> Iterator[tuple[str, Server]]:
    """Run the product behind its Nginx; yield the URL of its hot route, and its Gunicorn."""
    nginx = bench.edge.start()
    servers = [nginx]
    try:
        edge_url = f"http://127.0.0.1:{bench.edge.port}"
        load_tools.await_answer(edge_url + stacks.CONSTANT_PATH, None, nginx)
        servers += stacks.start_frontdesk(bench, **settings)
        url = f"{edge_url}/v1/classify"
        load_tools.await_answer(url, b'{"text": "hello"}', servers[-1])
        yield url, servers[-1]
    finally:
        for server in reversed(servers):
            server.stop()


def _measure_batches(bench: Bench, url: str, seconds: int, rounds: int) -> dict[str, Any]:
    """Compare texts per second, one and 64 in a request: messages as they come, and long texts."""
    messages = load_tools.sample_messages()[:BATCH]
    average = sorted(messages, key=len)[BATCH // 2]
    kinds = {
        "messages": (average, messages),
        "200 words": (load_tools.long_text(), [load_tools.long_text()[:950]] * BATCH),
    }
    found = {}
    for name, (one, many) in kinds.items():
        rates: dict[str, list[float]] = {"one": [], "batch": []}
        for _ in range(rounds):  # one after the other, so that both see the same machine
            for kind, question in (("one", {"text": one}), ("batch", {"texts": many})):
                load = _load(bench, url, question, seconds)
                texts = load["requests"] * (BATCH if kind == "batch" else 1)
                rates[kind].append(texts / load["seconds"])
        found[name] = {kind: statistics.median(values) for kind, values in rates.items()}
    return found


def _load(bench: Bench, url: str, question: dict[str, Any], seconds: int) -> dict[str, Any]:
    body = bench.folder / "body.json"
    body.write_text(json.dumps(question, ensure_ascii=False), encoding="utf-8")
    return load_tools.run_wrk(url, body, 8, seconds)


def _measure_overload(bench: Bench, url: str, seconds: int) -> dict[str, Any]:
    """Offer 3 times what can be answered, and see what is answered, refused and remembered."""
    question = {"text": load_tools.long_text()}
    capacity = _load(bench, url, question, seconds)
    per_second = capacity["requests"] / capacity["seconds"]
    client = OpenLoop(bench.edge.port, "/v1/classify", json.dumps(question).encode())
    unloaded = client.run(per_second * _UNLOADED_SHARE, _UNLOADED_SECONDS)
    overload = client.run(per_second * _OVERLOAD_TIMES, _OVERLOAD_SECONDS)
    ended = time.monotonic()
    after = client.run(per_second * _UNLOADED_SHARE, _UNLOADED_SECONDS / 2)
    refusals = [seconds for _, seconds in overload.refusals]
    return {
        "capacity_per_second": per_second,
        "offered_per_second": per_second * _OVERLOAD_TIMES,
        "statuses": dict(overload.statuses),
        "unloaded_statuses": dict(unloaded.statuses + after.statuses),
        "unloaded_p50_ms": unloaded.percentile_ms(50),
        "unloaded_p99_ms": unloaded.percentile_ms(99),
        "answered_p50_ms": overload.percentile_ms(50),
        "answered_p99_ms": overload.percentile_ms(99),
        "refused_p50_ms": statistics.median(refusals) * 1e3 if refusals else 0.0,
        "recovery_seconds": _recovery_seconds(after, ended, 3 * unloaded.percentile_ms(99) / 1e3),
    }


def _recovery_seconds(after: Outcome, ended: float, most: float) -> float:
    """Return when the first quarter second began in which nothing was refused and p50 was low."""
    last = max(due for due, _ in after.answered)
    start = ended
    while start < last:
        window = [each for each in after.answered if start <= each[0] < start + _WINDOW_SECONDS]
        refused = [due for due, _ in after.refusals if start <= due < start + _WINDOW_SECONDS]
        if window and not refused and statistics.median(time for _, time in window) <= most:
            return start - ended
        start += _WINDOW_SECONDS
    return float("inf")


def _time_new_worker(bench: Bench, url: str, server: Server) -> float:
    """Kill the only worker, and return the seconds until its successor has answered."""
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    (worker,) = map(int, path.read_text().split())
    os.kill(worker, signal.SIGKILL)
    begun = time.monotonic()
    load_tools.await_answer(url, b'{"text": "hello"}', server)
    return time.monotonic() - begun
