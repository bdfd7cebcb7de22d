"""Environments of programs that fit into no other: made with uv from a lock with hashes."""

import hashlib
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).with_name("peers")
_ENVIRONMENTS = Path(__file__).resolve().parents[2] / "build" / "bench-peers"
_UV = Path(sys.executable).with_name("uv")


class AbsentError(Exception):
    """A peer that cannot be measured here: why, in one line."""


def ensure(peer: str, folder: Path = PEERS, built: str = "") -> Path:
    """Return the folder of the programs of `peer`; make its environment when its lock changed.

    `built` comes as source, and is built with what the same lock names.
    """
    lock = folder / peer / "requirements.txt"
    source = ["--no-binary", built, "--build-constraints", lock] if built else []
    venv = _ENVIRONMENTS / peer
    stamp = venv / "installed"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making {venv} from {lock}", file=sys.stderr, flush=True)
        python = ["--python", venv / "bin/python"]
        _run("venv", "--quiet", "--clear", "--python", sys.executable, venv)
        _run("pip", "install", "--quiet", *python, "--require-hashes", "--only-binary", ":all:",
             *source, "--requirement", lock)  # fmt: skip
        stamp.write_text(wanted)
    return venv / "bin"


def _run(*words: object) -> None:
    done = subprocess.run(
        [_UV, *map(str, words)], check=False, stderr=subprocess.PIPE, text=True, stdout=sys.stderr
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())[-300:]
        raise AbsentError(f"its environment could not be made: {reason}")
