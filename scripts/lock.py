"""Resolve the two lists of direct dependencies into their locks, with hashes for every file."""

import subprocess
import sys

from environment import VENV
from machine import ROOT

OPTIONS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
           "--no-emit-find-links", "--no-header", "--quiet"]  # fmt: skip


def main() -> int:
    uv = [str(VENV / "bin/uv"), "pip", "compile", *OPTIONS]
    for words in (
        ["requirements.in", "--output-file", "requirements.txt"],
        # The host's lock is a part of the control machine's: what was tested is what runs
        ["--constraints", "requirements.txt", "service/requirements.in",
         "--output-file", "service/requirements.txt"],
    ):  # fmt: skip
        done = subprocess.run([*uv, *words], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
