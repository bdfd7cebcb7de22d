"""Keep on the control machine what a host knows of a change that failed.

Reads from stdin {"refused": what the host answered, with its logs where it gave them; "answer":
else its `diagnose`; "message": why there is none; "journal": what it logged}; prints the folder.
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
    logged = refused.pop("logged", None) or _logged(said)
    files = {"gate.json": json.dumps(refused.pop("gate", None), indent=2) + "\n",
             "refusal.json": json.dumps(refused, indent=2) + "\n", **logged}  # fmt: skip
    for name, text in files.items():
        (made / Path(name).name).write_text(text)
    return made


def _logged(said: dict) -> dict[str, str]:
    """{file name: text} of what the host's program told, or of what is known without it."""
    try:
        told = json.loads(said["answer"])
    except ValueError:  # no program yet, or a damaged one
        told = None
    if isinstance(told, dict) and all(isinstance(text, str) for text in told.values()):
        return told
    return {"host.txt": said["answer"] or said["message"], "journal.txt": said["journal"]}


if __name__ == "__main__":
    try:
        print(keep(Path(sys.argv[1]).resolve(), sys.argv[2], json.load(sys.stdin)))
    except OSError as error:
        sys.exit(print(f"nowhere, it could not be kept: {error}") or 1)
