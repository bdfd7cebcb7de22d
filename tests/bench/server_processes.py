"""A server with all its processes: what they cost in CPU and memory, and their end."""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_MARK = "FRONTDESK_BENCH"
_GRACE_SECONDS = 15


class Server:
    """A command and everything that came of it, daemons included.

    Its processes are those that carry its mark in their environment, and their descendants.
    """

    def __init__(
        self,
        command: Sequence[object],
        log_path: Path,
        *,
        cwd: Path,
        env: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.log_path = log_path
        self._mark = f"{_MARK}={secrets.token_hex(8)}"
        name, _, value = self._mark.partition("=")
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                list(map(str, command)),
                cwd=cwd,
                env={**env, name: value},
                pass_fds=pass_fds,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether the command itself still runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process of the command itself."""
        return self._process.pid

    def pids(self) -> set[int]:
        """Return all processes that belong to the server now."""
        parents, found = {}, {self.pid} if self.is_running else set()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                pid = int(folder.name)
                parents[pid] = int(_stat_fields(pid)[1])
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(pid)
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found - _zombies(found)

    def cpu_seconds(self) -> float:
        """Return what all processes used, in user and system mode, since they began."""
        return sum(map(_cpu_seconds, self.pids()))

    def pss_megabytes(self) -> float:
        """Return the memory of all processes; what several share counts once."""
        return sum(map(_pss_kibibytes, self.pids())) * 1024 / 1e6

    def log_tail(self) -> str:
        """Return the last lines that the server wrote."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-8:])

    def stop(self) -> None:
        """End the command as an init system would, then whatever is left of it."""
        if self.is_running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
        deadline = time.monotonic() + _GRACE_SECONDS
        while left := self.pids():
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {left} do not end; their log is {self.log_path}")
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
            self._process.poll()


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: [0] is the state, [1] the parent."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _zombies(pids: set[int]) -> set[int]:
    found = set()
    for pid in pids:
        try:
            if _stat_fields(pid)[0] == "Z":
                found.add(pid)
        except OSError:
            found.add(pid)
    return found


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = _stat_fields(pid)
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
    return 0.0


def _pss_kibibytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return 0
