"""The targets, as ratios between stacks that were measured in the same run."""

from typing import Any

import stacks

_AHEAD_IN = ("cpu_us_per_request", "p99_ms", "memory_mb", "start_seconds")


def judge(figures: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
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
    return found


def table(targets: list[dict[str, Any]]) -> str:
    """Return the targets as lines for a terminal."""
    return "\n".join(
        f"{'holds' if each['holds'] else 'FAILS':6} {each['target']:52} {each['found']:10.3f}"
        f"  {each['limit']}"
        for each in targets
    )
