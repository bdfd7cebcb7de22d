"""Waiting that can be watched, and that ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from .errors import Ec2Error

POLL_SECONDS = 2.0
TELL_SECONDS = 10.0


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for data."""
    print(text, file=sys.stderr, flush=True)


def wait_until(what: str, look: Callable[[], str], wanted: set[str], limit: float = 600) -> str:
    """Look until the answer is wanted, telling it with the elapsed time; Ec2Error at the limit."""
    began = told = time.monotonic()
    seen = look()
    say(f"waiting until {what}: {seen}")
    while seen not in wanted:
        elapsed = time.monotonic() - began
        if elapsed > limit:
            raise Ec2Error(
                f"Gave up after {elapsed:.0f} s of waiting until {what}: still {seen}. "
                "Look with: scripts/ec2.py status"
            )
        time.sleep(POLL_SECONDS)
        now = look()
        if now != seen or time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            say(f"  {told - began:4.0f} s  {now}")
        seen = now
    return seen
