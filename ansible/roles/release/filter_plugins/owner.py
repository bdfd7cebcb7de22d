"""Who runs this playbook: the owner that is written into a host's lock."""

import getpass
import hashlib
import os
import socket
import subprocess
import uuid
from pathlib import Path


def release_owner(who, reason, lease_seconds):
    """The owner's record: token, who, reason, lease_seconds; the same all through one run."""
    pid = _run()
    return {
        "token": f"{_machine()}:{pid}:{_process(pid)[1]}",
        "who": who or f"{getpass.getuser()}@{socket.gethostname()}",
        "reason": reason,
        "lease_seconds": int(lease_seconds),
    }


def release_owner_is_gone(holder):
    """Was the holder's run one of this machine that no longer exists? Of no holder: no."""
    if not holder:
        return False
    machine, pid, started = holder["token"].split(":", 2)
    return machine == _machine() and _process(int(pid))[1] != started


def _run():
    """The process of this ansible-playbook; filters run in it or in a child of it."""
    pid, found = os.getpid(), None
    while pid > 1:
        parent, _, command = _process(pid)
        if "ansible-playbook" in [Path(word).name for word in command[:2]]:
            found = pid
        elif found:
            break
        pid = parent
    return found or os.getpid()


def _process(pid):
    """(parent, when it began, words of its command); (0, "", []) where there is none."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except OSError:
            return 0, "", []
        return int(fields[1]), fields[19] if fields[0] != "Z" else "", command
    words = ["ps", "-o", "ppid=,lstart=,command=", "-p", str(pid)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    fields = done.stdout.split()
    if len(fields) < 7:
        return 0, "", []
    return int(fields[0]), "-".join(fields[1:6]).replace(":", "."), fields[6:]


def _machine():
    """This machine since its start (and the container, where it is one), as 16 hex digits."""
    facts = []
    for path in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        facts.append(Path(path).read_text() if Path(path).exists() else str(uuid.getnode()))
    namespace = Path("/proc/self/ns/pid")
    facts.append(str(namespace.readlink()) if namespace.is_symlink() else "")
    return hashlib.sha256("".join(facts).encode()).hexdigest()[:16]


class FilterModule:
    def filters(self):
        return {
            "release_owner": release_owner,
            "release_owner_is_gone": release_owner_is_gone,
        }
