"""Make the control machine's environment from the lock; does nothing when it is up to date."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

from machine import ROOT, MachineError, has_apt, install_packages, say

VENV = ROOT / ".venv"
STAMP = VENV / "installed"
NEEDED_BYTES = 4_000_000_000


def ensure() -> None:
    """Make .venv hold exactly what requirements.txt lists; MachineError in one line."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs on whatever Python there is
        raise MachineError(
            f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed. "
            "Name another with: make up PYTHON=python3.12"
        )
    lock = (ROOT / "requirements.txt").read_bytes()
    wanted = hashlib.sha256(lock + repr(sys.version_info[:2]).encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise MachineError(
            f"{ROOT} has {free / 1e9:.1f} GB free and the environment takes "
            f"{NEEDED_BYTES / 1e9:.1f} GB. Free some, and repeat."
        )
    try:
        _make()
    except subprocess.CalledProcessError as error:
        raise MachineError(
            f"`{' '.join(error.cmd[1:4])} ...` failed with exit code {error.returncode}; "
            "its own words stand above. Repeat when that is mended."
        ) from error
    STAMP.write_text(wanted)


def _make() -> None:
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships Python without it
    except ImportError as error:
        if not has_apt():
            raise MachineError("Python has no ensurepip. Install it (python3-venv).") from error
        install_packages("python3-venv")
    say("Making the Python environment in .venv")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    say("Installing what requirements.txt lists, checked by hash (some minutes the first time)")
    subprocess.run(
        [str(VENV / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check",
         "--require-hashes", "--only-binary", ":all:", "--requirement",
         str(ROOT / "requirements.txt")],
        check=True, stdout=sys.stderr, env={**os.environ, "PIP_NO_INPUT": "1"},
    )  # fmt: skip


def main() -> int:
    try:
        ensure()
    except MachineError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
