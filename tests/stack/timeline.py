"""What was done to a host while requests ran, and what became of the requests."""

import contextlib
import statistics
import time
from collections import Counter
from dataclasses import dataclass

WINDOW_SECONDS = 2  # around a switch, and of a quiet time to compare it with


@dataclass
class Act:
    """One thing done to the host between two time.monotonic() values, and what served then."""

    phase: str
    began: float
    ended: float
    before: str
    after: str


class Timeline:
    """Notes acts: `with timeline.act("deploys"): ...`; `live()` is the id of what serves."""

    def __init__(self, live):
        self._live, self._serves = live, live()
        self.acts = []

    @contextlib.contextmanager
    def act(self, phase):
        began = time.monotonic()
        yield
        ended, before, self._serves = time.monotonic(), self._serves, self._live()
        self.acts.append(Act(phase, began, ended, before, self._serves))


def summary(exchanges):
    """Requests sent, those failed by reason, and latencies in milliseconds."""
    latencies = [(each.done - each.due) * 1000 for each in exchanges]
    return {
        "sent": len(exchanges),
        "failed": dict(Counter(each.failure for each in exchanges if each.failure)),
        "p50_ms": round(statistics.median(latencies), 1),
        "p99_ms": round(p99(latencies), 1),
        "max_ms": round(max(latencies), 1),
    }


def p99(values):
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)]


def phases(exchanges, acts):
    """The summary of each phase: from the start of its first act to that of the next phase's."""
    starts = {}
    for act in acts:
        starts.setdefault(act.phase, act.began)
    ends = [*list(starts.values())[1:], float("inf")]
    return {
        phase: summary([each for each in exchanges if start <= each.due < end])
        for (phase, start), end in zip(starts.items(), ends, strict=True)
    }


def misplaced(exchanges, acts):
    """Answers that came from a release which could not serve at that time, as lines.

    Within an act both releases may answer, but once the new one has, no request that is sent later
    may be answered by the old one.
    """
    found = []
    answered = [each for each in exchanges if each.release]
    ends = [act.began for act in acts[1:]] + [float("inf")]
    for act, end in zip(acts, ends, strict=True):
        own = [each for each in answered if act.began <= each.sent < end]
        switched = min((each.done for each in own if each.release == act.after), default=act.ended)
        for each in own:
            allowed = (
                {act.after} if each.sent > min(switched, act.ended) else {act.before, act.after}
            )
            if each.release not in allowed:
                found.append(f"request {each.number}: {each.release} instead of {allowed}")
    return found


def switches(exchanges, acts):
    """When each act's new release answered for the first time."""
    moments = []
    for act in acts:
        if act.after != act.before:
            own = (each for each in exchanges if act.began <= each.sent)
            moments.append(min(each.done for each in own if each.release == act.after))
    return moments


def switch_ratio(exchanges, acts):
    """Medians of the p99 around the switches and in the quiet times after them, and their ratio."""
    half = WINDOW_SECONDS / 2
    around = [_window_p99(exchanges, at - half) for at in switches(exchanges, acts)]
    # The last seconds before an act begins: what came before it is over by then
    calm = [_window_p99(exchanges, act.began - WINDOW_SECONDS) for act in acts]
    busy, quiet = statistics.median(around), statistics.median(calm)
    return {"switch_p99_ms": round(busy, 1), "quiet_p99_ms": round(quiet, 1),
            "ratio": round(busy / quiet, 2), "switches": len(around)}  # fmt: skip


def _window_p99(exchanges, start):
    end = start + WINDOW_SECONDS
    return p99([(each.done - each.due) * 1000 for each in exchanges if start <= each.due < end])
