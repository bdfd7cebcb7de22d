"""Keep on the control machine what a host knows of a change that failed.

Reads {"refused": what the host answered, "host": its `diagnose`} from stdin; prints the folder.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path


def keep(folder: Path, host: str, said: dict) -> Path:
    """Write a folder of its own for this failure, readable by its owner only."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    made = folder / f"{stamp}-{host}"
    made.mkdir(parents=True, exist_ok=True, mode=0o700)
    refused = dict(said["refused"])
    files = {"gate.json": json.dumps(refused.pop("gate", None), indent=2) + "\n",
             "refusal.json": json.dumps(refused, indent=2) + "\n", **said["host"]}  # fmt: skip
    for name, text in files.items():
        (made / Path(name).name).write_text(text)
    return made


if __name__ == "__main__":
    print(keep(Path(sys.argv[1]).resolve(), sys.argv[2], json.load(sys.stdin)))
