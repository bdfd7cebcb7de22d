"""Run a command in a process of its own and say what it took."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a command printed, its peak of resident memory, and its time."""

    stdout: str
    peak_megabytes: float
    seconds: float


def run(
    command: Sequence[object], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Done:
    """Run `command`; what it says on stderr is passed on. SystemExit when it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        # A pipe would have to be read while wait4 waits: a file takes any amount.
        process = subprocess.Popen(list(map(str, command)), cwd=cwd, env=env, stdout=out)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        out.seek(0)
        stdout = out.read()
    if process.returncode:
        sys.exit(f"failed with exit code {process.returncode}: {' '.join(map(str, command))}")
    # Kilobytes on Linux, bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1000 / 1.024
    return Done(stdout, usage.ru_maxrss / unit, seconds)
