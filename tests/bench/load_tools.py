"""The client of all measurements, and the texts that it sends."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from peer_environments import AbsentError
from server_processes import Server

_HERE = Path(__file__).resolve().parent
SAMPLE = _HERE.parents[1] / "service/sample_data"
_START_SECONDS = 90
_WORDS = 200


def await_answer(url: str, body: bytes | None, server: Server) -> bytes:
    """Ask until there is a 200, and return its body; AbsentError when there is none in time."""
    deadline = time.monotonic() + _START_SECONDS
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - this machine's own
    reason: object = "no answer"
    while time.monotonic() < deadline and server.is_running:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return answer.read()
        except (OSError, urllib.error.HTTPError) as error:
            reason = error
        time.sleep(0.02)
    raise AbsentError(f"it did not answer ({reason}): {server.log_tail()[-400:]}")


def run_wrk(url: str, body: Path, connections: int, seconds: int) -> dict[str, Any]:
    """Load `url` with wrk, `connections` at a time; return what wrk.lua printed."""
    done = subprocess.run(
        [
            *("wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s"),
            *("-s", str(_HERE / "wrk.lua"), url, "--", str(body)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def sample_messages() -> list[str]:
    """Return the sample data's texts, every seventh, always the same."""
    return [path.read_text(encoding="utf-8") for path in sorted(SAMPLE.rglob("*.txt"))[::7]]


def long_text() -> str:
    """Return a text of 200 words from the sample data, always the same."""
    return " ".join(" ".join(sample_messages()).split()[:_WORDS])
