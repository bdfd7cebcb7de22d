"""Power the host off when it was idle for long: idle_stop.py MINUTES SINCE FILE...

Idle means that none of the files was written within MINUTES; SINCE is a folder made at the start
of the host, so that one that has just started is not idle. Exit code 1 where SINCE is missing.
"""

import subprocess
import sys
import time
from pathlib import Path


def last_used(since: str, files: list[str]) -> float:
    """When the host started or one of the files was written, whichever is later; in Unix time."""
    return max(
        Path(path).stat().st_mtime for path in [since, *filter(Path.exists, map(Path, files))]
    )


def main(minutes: str, since: str, *files: str) -> int:
    try:
        idle = (time.time() - last_used(since, list(files))) / 60
    except FileNotFoundError as error:
        print(f"{error.filename} is missing: without it nobody knows since when the host runs.")
        return 1
    if idle < int(minutes):
        return 0
    print(f"Nobody asked the classifier anything for {idle:.0f} minutes: this host powers off.")
    return subprocess.run(["systemctl", "poweroff", "--no-block"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
