"""Resolve each list of direct dependencies into its lock, with hashes for every file."""

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
        # What fits in beside nothing else, each in an environment of its own
        *([listed, "--output-file", listed.with_suffix(".txt")]
          for listed in sorted(ROOT.glob("tests/*/**/requirements.in"))),
    ):  # fmt: skip
        done = subprocess.run([*uv, *map(str, words)], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
