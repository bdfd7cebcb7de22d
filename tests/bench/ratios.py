"""The targets, as ratios between stacks that were measured in the same run."""

from typing import Any

import stacks

_AHEAD_IN = ("cpu_us_per_request", "p99_ms", "memory_mb", "start_seconds")


def judge(figures: dict[str, dict[str, float]], own: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return {"target", "limit", "found", "holds"} for each target whose stacks were measured."""
    ours = figures.get(stacks.OURS)
    if ours is None:
        return []
    found = []

    def least(name: str, value: float, limit: float) -> None:
        found.append({"target": name, "limit": f">= {limit:g}", "found": value,
                      "holds": value >= limit})  # fmt: skip

    def most(name: str, value: float, limit: float) -> None:
        found.append({"target": name, "limit": f"< {limit:g}", "found": value,
                      "holds": value < limit})  # fmt: skip

    if floor := figures.get(stacks.FLOOR):
        share = ours["requests_per_second"] / floor["requests_per_second"]
        least("requests per second, of the framework's floor", share, 0.85)
    if naive := figures.get(stacks.NAIVE):
        times = naive["cpu_us_per_request"] / ours["cpu_us_per_request"]
        least("CPU of the naive way, in ours", times, 150)
        most("memory, of the naive way's", ours["memory_mb"] / naive["memory_mb"], 0.15)
    peers = [stack.name for stack in stacks.STACKS if stack.peer and stack.name in figures]
    for name in peers:
        for key in _AHEAD_IN:
            most(f"{key}, of {name}'s", ours[key] / figures[name][key], 1)
    if own:
        for name, rates in own["batch"].items():
            least(f"texts per second in batches, {name}", rates["batch"] / rates["one"], 10)
        load = own["overload"]
        share = load["answered_p99_ms"] / load["unloaded_p99_ms"]
        most("p99 of the answered under overload, of the unloaded", share, 3)
        other = sum(load["statuses"].values()) - sum(
            load["statuses"].get(status, 0) for status in ("200", "429")
        )
        most("answers under overload that are no 200 and no 429", other, 1)
        most("seconds to recover from overload", load["recovery_seconds"], 2)
        most("seconds from a killed worker to the next answer", own["worker_start_seconds"], 0.5)
    return found


def table(targets: list[dict[str, Any]]) -> str:
    """Return the targets as lines for a terminal."""
    return "\n".join(
        f"{'holds' if each['holds'] else 'FAILS':6} {each['target']:52} {each['found']:10.3f}"
        f"  {each['limit']}"
        for each in targets
    )
