"""Run all tests with a Docker Engine that answers; the one that was started for them stops again.

Standard library only: it runs before there is an environment. The last line is pytest's summary.
"""

from __future__ import annotations

import subprocess
import sys

import environment
from machine import ROOT, MachineError, ensure_docker, noted, say, stop_docker


def main() -> int:
    try:
        environment.ensure()
        before = noted()["dockerd"]
        ensure_docker()
        pytest = [str(environment.VENV / "bin/python"), "-m", "pytest", *sys.argv[1:]]
        try:
            return subprocess.run(pytest, cwd=ROOT, check=False).returncode
        finally:
            if noted()["dockerd"] != before:
                stop_docker()
    except MachineError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
