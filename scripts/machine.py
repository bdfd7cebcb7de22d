"""What `make up` changes on this machine outside the checkout: done here, noted here, undone here.

The note (build/machine.json) lists the packages that were installed and the Docker Engine that was
started, so that `make down` takes back those and nothing else. Standard library only: the first
calls come before there is an environment.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTE = ROOT / "build" / "machine.json"

# The local inventory's host, and the label that the role docker_host puts on what it makes
HOST = "frontdesk-local"
LABEL = "org.frontdesk.host"


class MachineError(Exception):
    """What is wrong with this machine and what to do next, in one line."""


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def noted() -> dict:
    """What was done to this machine: {"packages": [...], "dockerd": pid or None}."""
    if not NOTE.exists():
        return {"packages": [], "dockerd": None}
    return json.loads(NOTE.read_text())


def note(**changes: object) -> None:
    """Add to the note; whole or not at all."""
    NOTE.parent.mkdir(exist_ok=True)
    temporary = NOTE.with_suffix(".new")
    temporary.write_text(json.dumps({**noted(), **changes}, indent=2) + "\n")
    temporary.replace(NOTE)


def as_root(command: list[str]) -> list[str]:
    """The command as root: itself, or through sudo without a question."""
    if os.geteuid() == 0:
        return command
    if shutil.which("sudo") is None:
        raise MachineError(f"`{command[0]}` needs root and there is no sudo. Run make as root.")
    return ["sudo", "--non-interactive", *command]


def has_apt() -> bool:
    return shutil.which("apt-get") is not None


def install_packages(*names: str) -> None:
    """Install Debian packages without a question; MachineError with apt's own reason."""
    before = _installed()
    say(f"Installing {', '.join(names)} with apt-get")
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    _apt([*environment, "apt-get", "update", "--quiet"])
    try:
        _apt([*environment, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends",
              *names])  # fmt: skip
    finally:
        note(packages=sorted({*noted()["packages"], *(_installed() - before)}))


def remove_packages() -> None:
    """Take back the packages that were installed here, and nothing else."""
    packages = sorted(set(noted()["packages"]) & _installed())
    if packages:
        say(f"Removing {', '.join(packages)}")
        _apt(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "--yes", "--quiet",
              *packages])  # fmt: skip
    if user := noted().get("joined"):
        subprocess.run(as_root(["gpasswd", "--delete", user, "docker"]), check=False)  # may be gone
    note(packages=[], joined=None)


def _apt(command: list[str]) -> None:
    done = subprocess.run(as_root(command), capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise MachineError(f"`{' '.join(command[2:4])}` failed: {lines[-1]}")


def _installed() -> set[str]:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}


def docker_answer() -> str | None:
    """None when a Docker Engine answers; its client's complaint, in one line, when none does."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    done = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no answer"])[-1]


def ensure_docker() -> None:
    """Make a Docker Engine answer to this user; MachineError says what to do where it can't be.

    A user who is not root and for whom the engine was installed here joins the group docker, and
    the program begins again with that group, since a running process can't take one on.
    """
    complaint = docker_answer()
    if complaint is None:
        return
    if not _is_refusal(complaint) and shutil.which("dockerd") is None:
        _install_engine(complaint)
        complaint = docker_answer()
    if complaint is not None and not _is_refusal(complaint):
        _start_engine()
        complaint = docker_answer()
    if complaint is not None:
        _join_group(complaint)


def _is_refusal(complaint: str) -> bool:
    return "permission denied" in complaint.lower()


def _join_group(complaint: str) -> None:
    user = getpass.getuser()
    if "docker.io" not in noted()["packages"] or noted().get("joined"):
        raise MachineError(
            f"Docker answers, but not to {user} ({complaint}). "
            f"Run `sudo usermod -aG docker {user}`, log in again, and repeat; or run make as root."
        )
    say(f"Adding {user} to the group docker")
    subprocess.run(as_root(["usermod", "--append", "--groups", "docker", user]), check=True)
    note(joined=user)
    os.execvp("sg", ["sg", "docker", "-c", shlex.join([sys.executable, *sys.argv])])  # noqa: S606 - no shell's quoting to get wrong: shlex made the line


def _install_engine(complaint: str) -> None:
    if not has_apt():
        raise MachineError(
            f"No Docker Engine answers ({complaint}). Install Docker, start it, and repeat: "
            "only on Debian and Ubuntu is that done for you."
        )
    say(f"No Docker Engine answers ({complaint}): installing Debian's docker.io")
    install_packages("docker.io")


def _start_engine() -> None:
    if Path("/run/systemd/system").is_dir():
        say("Starting the Docker Engine with systemctl")
        done = subprocess.run(
            as_root(["systemctl", "start", "docker"]), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise MachineError(f"`systemctl start docker` failed: {done.stderr.strip()}")
        _wait_for_engine(None)
        return
    say("Starting the Docker Engine (no systemd here: as a process of its own)")
    log = ROOT / "build" / "dockerd.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            as_root(["dockerd"]), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    note(dockerd=process.pid)
    _wait_for_engine(process, log)


def _wait_for_engine(process: subprocess.Popen | None, log: Path | None = None) -> None:
    deadline = time.monotonic() + 60
    while (complaint := docker_answer()) is not None and not _is_refusal(complaint):
        if process is not None and process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise MachineError(f"dockerd ended at once: {lines[-1] if lines else 'no output'}")
        if time.monotonic() > deadline:
            raise MachineError(f"The Docker Engine did not answer within 60 s: {complaint}")
        time.sleep(0.3)


def stop_docker() -> None:
    """Stop the Docker Engine that was started here as a process; leave any other alone."""
    pid = noted()["dockerd"]
    if pid is None:
        return
    # A number alone may be another process by now: its name must fit, too
    name = Path(f"/proc/{pid}/comm")
    if name.exists() and name.read_text().strip() in ("dockerd", "sudo"):
        subprocess.run(as_root(["kill", str(pid)]), check=True)
        deadline = time.monotonic() + 30
        while name.exists() and _state(pid) != "Z":
            if time.monotonic() > deadline:
                raise MachineError(f"dockerd (process {pid}) does not end. End it by hand.")
            time.sleep(0.2)
    note(dockerd=None)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


if __name__ == "__main__":  # machine.py PACKAGE...: install them, noted
    try:
        install_packages(*sys.argv[1:])
    except MachineError as refusal:
        sys.exit(str(refusal))
