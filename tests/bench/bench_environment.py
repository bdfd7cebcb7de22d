"""The environment of what the product is compared with: scikit-learn and matplotlib."""

import hashlib
import subprocess
import sys
from pathlib import Path

_LOCK = Path(__file__).with_name("requirements.txt")
VENV = Path(__file__).resolve().parents[2] / "build" / "bench-venv"


def ensure() -> Path:
    """Return the environment's python; make it from the lock first when that has changed."""
    python, stamp = VENV / "bin" / "python", VENV / "installed"
    wanted = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"making {VENV} from {_LOCK.name}", file=sys.stderr)
    install = ["install", "--disable-pip-version-check", "--quiet", "--require-hashes"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run(
            [python, "-m", "pip", *install, "--only-binary", ":all:", "--requirement", _LOCK],
            check=True,
            stdout=sys.stderr,
        )
    except subprocess.CalledProcessError as error:
        sys.exit(f"{VENV} could not be made, see above; the lock is {_LOCK} ({error})")
    stamp.write_text(wanted)
    return python
