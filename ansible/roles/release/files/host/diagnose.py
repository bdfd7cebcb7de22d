"""What a host knows of a change that failed, as texts to be kept elsewhere."""

import shutil
import subprocess
from collections.abc import Callable

import overview
from layout import Layout

LINES = "400"


def diagnose(layout: Layout) -> dict[str, str]:
    """{file name: its text}: journal, Nginx's logs, units, resources, and the host's status."""
    units = [f"classifier@{slot}.{kind}" for slot in layout.slots for kind in ("service", "socket")]
    own = [word for unit in (*units, "nginx.service") for word in ("--unit", unit)]
    asked = {
        "journal.txt": ["journalctl", *own, "--lines", LINES, "--no-pager"],
        "units.txt": ["systemctl", "status", "--no-pager", "--lines", "0", *units, "nginx.service"],
        "nginx-access.log": ["tail", "-n", LINES, str(layout.access_log)],
        "nginx-error.log": ["tail", "-n", LINES, str(layout.access_log.with_name("error.log"))],
        "memory.txt": ["cat", "/proc/meminfo"],
        "processes.txt": ["ps", "-eo", "pid,ppid,user,rss,etimes,args", "--sort", "-rss"],
    }
    return {
        "status.txt": _told(lambda: overview.as_text(overview.overview(layout))),
        "disk.txt": _told(lambda: _disk(layout)),
        **{name: _output(words) for name, words in asked.items()},
    }


def _disk(layout: Layout) -> str:
    usage = shutil.disk_usage(layout.root)
    return f"{layout.root}: {usage.free} of {usage.total} bytes free"


def _told(ask: Callable[[], str]) -> str:
    try:
        return ask() + "\n"
    except Exception as error:  # noqa: BLE001 - what is damaged may be just what this reads
        return f"{type(error).__name__}: {error}\n"


def _output(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False,
                              timeout=10)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}\n"
    return done.stdout + done.stderr
