"""The gate before a release goes live: asks golden texts of every worker, on the release's socket.

Prints one JSON line; exits 0 when all is well and 1 when not, never later than the time allowed.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from classifier.bundle import BundleError, load
from classifier.serving.gate_checks import Candidate, GateError


def check_candidate(options: argparse.Namespace) -> dict[str, Any]:
    """Make all checks until one fails; return the report that the command prints."""
    begun = time.monotonic()
    checks: list[dict[str, Any]] = []
    failure = None
    try:
        candidate = _candidate(options, begun + options.timeout)
        for check in (candidate.check_readiness, candidate.check_answers, candidate.check_latency):
            name = check.__name__.removeprefix("check_")
            checks.append({"check": name, "passed": False, "detail": ""})
            checks[-1]["detail"] = check()
            checks[-1]["passed"] = True
    except GateError as error:
        failure = {"cause": error.cause, "expected": error.expected, "got": error.got}
        if checks:
            checks[-1]["detail"] = error.cause
    seconds = round(time.monotonic() - begun, 3)
    return {"passed": failure is None, "checks": checks, "failure": failure, "seconds": seconds}


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(prog="python -m classifier.serving.gate", description=__doc__)
    made.add_argument("--socket", required=True, type=Path, help="where the candidate listens")
    made.add_argument("--bundle", required=True, type=Path, help="the bundle it must serve")
    made.add_argument("--release-id", required=True, help="the release it must be")
    made.add_argument(
        "--requests-per-worker",
        type=_positive_int,
        default=4,
        help="connections per worker that are opened at once until each worker has answered",
    )
    made.add_argument("--timeout", type=_positive, default=15.0, help="seconds for everything")
    made.add_argument(
        "--latency-budget-ms", type=_positive, default=100.0, help="most for the median request"
    )
    made.add_argument(
        "--tolerance", type=_positive, default=0.001, help="most that a probability may differ"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Print the report on the candidate; return the exit code."""
    report = check_candidate(parser().parse_args(arguments))
    print(json.dumps(report))
    return 0 if report["passed"] else 1


def _candidate(options: argparse.Namespace, deadline: float) -> Candidate:
    try:
        bundle = load(options.bundle)
    except BundleError as error:
        raise GateError(str(error), "a whole bundle", "a broken one") from error
    return Candidate(
        socket_path=str(options.socket),
        bundle=bundle,
        release_id=options.release_id,
        deadline=deadline,
        requests_per_worker=options.requests_per_worker,
        latency_budget_ms=options.latency_budget_ms,
        tolerance=options.tolerance,
    )


def _positive(value: str) -> float:
    number = float(value)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{value} is not a number above 0")
    return number


def _positive_int(value: str) -> int:
    if (number := int(value)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
