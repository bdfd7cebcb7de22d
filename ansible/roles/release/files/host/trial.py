"""A release on trial: unless it is confirmed in time, the host returns to what served before.

A deploy to several hosts confirms once all of them serve. So a host goes back with the others
even when nobody reaches it any more, or nobody is left to ask it.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from layout import Layout, ReleaseError, write

TIMER = "frontdesk-trial"


@dataclass(frozen=True)
class Trial:
    """`before`: release to return to (None: nothing served); `marks`: what the return marks."""

    release: str
    before: str | None
    marks: dict[str, str]


def _path(layout: Layout) -> Path:
    return layout.root / "trial.json"


def pending(layout: Layout) -> Trial | None:
    """The trial that waits for its confirmation."""
    path = _path(layout)
    return Trial(**json.loads(path.read_text())) if path.exists() else None


@contextlib.contextmanager
def begun(layout: Layout, trial: Trial, seconds: int) -> Iterator[None]:
    """Prepare the way back before the body switches; where the body fails, all is as it was.

    With 0 seconds there is no trial: what the body does stands, and ends an earlier trial.
    A trial that follows on an unconfirmed one leads back to where that one would have led.
    """
    earlier = pending(layout)
    if seconds:
        if earlier:
            trial = Trial(trial.release, earlier.before, earlier.marks | trial.marks)
        write(_path(layout), json.dumps(asdict(trial)) + "\n")
        _schedule(seconds)
    try:
        yield
    except BaseException:
        if earlier:
            write(_path(layout), json.dumps(asdict(earlier)) + "\n")
        elif seconds:
            end(layout)
        raise
    if earlier and not seconds:
        end(layout)


def end(layout: Layout) -> None:
    """Take the date of the return back."""
    _unschedule()
    _path(layout).unlink(missing_ok=True)


def _unschedule() -> None:
    subprocess.run(["systemctl", "stop", f"{TIMER}.timer"], capture_output=True, check=False)


def _schedule(seconds: int) -> None:
    _unschedule()
    program = ["/usr/bin/python3", "/usr/local/lib/frontdesk/release.pyz"]
    done = subprocess.run(
        ["systemd-run", "--quiet", "--collect", f"--unit={TIMER}", f"--on-active={seconds}s",
         "--timer-property=AccuracySec=1s", *program, "withdraw", "--who=this host",
         f"--why=not confirmed within {seconds} s"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ReleaseError(f"systemd takes no timer for the trial: {done.stderr.strip()}")
