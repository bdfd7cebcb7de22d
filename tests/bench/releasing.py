"""How long does a change of what serves take? Plays on a Docker host, with Ansible's start.

    make bench-releases

Deploys BUNDLE to a host of its own, repeats each kind of change, prints a table of medians beside
the limit of each and writes releasing.json; exits with 1 when a median is above its limit.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import broken
import hosts
import machine
import versions

_ROOT = Path(__file__).resolve().parents[2]
_NAME = "frontdesk-bench"
_LIMITS = {"unchanged": 15, "the model alone": 10, "the code alone": 20, "back, still warm": 5,
           "back, cold": 15, "held by another": 5}  # fmt: skip
_REFUSED_WITHIN = 15


class Changes:
    """Changes of one deployed host, each timed: seconds[what] -> one value a time."""

    def __init__(self, host: hosts.Host, bundle: Path, folder: Path) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._host = host
        other = versions.changed_bundle(bundle, folder / "other", versions.rotate_labels)
        self._bundles = [str(other), str(bundle)]
        code = versions.changed_service(
            _ROOT / "service", folder / "code", "classifier/serving/routes.py", "# other\n"
        )
        self._services = [str(code), str(_ROOT / "service")]

    def once(self) -> None:
        """Do each change once, and leave the host as it was."""
        done = self._play("unchanged", "deploy.yml")
        assert hosts.changes(done.stdout) == 0, done.stdout
        for bundle in self._bundles:
            self._play("the model alone", "deploy.yml", release_parts="model",
                       release_bundle_dir=bundle)  # fmt: skip
        for service in self._services:
            self._play("the code alone", "deploy.yml", release_parts="code",
                       release_service_dir=service)  # fmt: skip
        self._play("back, still warm", "rollback.yml")
        slot = next(each for each in ("blue", "green") if each != self._host.status()["slot"])
        self._host.shell(f"{' '.join(hosts.PROGRAM)} retire {slot}")
        self._play("back, cold", "rollback.yml")
        self._host.play("deploy.yml")
        self._held()

    def refused(self, kind: str, variables: dict[str, str], cause: str) -> None:
        live = self._host.status()["live_id"]
        done = self._play(f"refused: {kind}", "release.yml", check=False, **variables)
        assert cause in done.stdout, done.stdout
        assert self._host.status()["live_id"] == live

    def _held(self) -> None:
        lease = (_ROOT / "ansible/roles/release/files/host/lease.py").read_bytes()
        self._host.send(lease, "/tmp/lease.py")
        owner = json.dumps({"token": "elsewhere:1:1", "who": "dev@lap", "reason": "try things"})
        self._host.shell(f"python3 /tmp/lease.py take '{owner}'")
        done = self._play("held by another", "deploy.yml", check=False)
        assert "dev@lap holds this host since" in " ".join(done.stdout.split()), done.stdout
        self._host.shell(f"python3 /tmp/lease.py free '{owner}'")

    def _play(self, what: str, *words: str, check: bool = True, **variables: str):
        began = time.monotonic()
        done = self._host.play(*words, check=check, **variables)
        seconds = time.monotonic() - began
        assert check or done.returncode != 0, done.stdout
        self.seconds.setdefault(what, []).append(seconds)
        print(f"{what}: {seconds:.1f} s", file=sys.stderr, flush=True)
        return done


def measure(bundle: Path, repeat: int, folder: Path) -> dict[str, list[float]]:
    hosts.remove_leftover(_NAME)
    written = hosts.write_inventory(folder / "inventory.yml", _NAME, ansible_become=False)
    host = hosts.Host(_NAME, written, release_bundle_dir=str(bundle))
    try:
        host.play("deploy.yml")
        changes = Changes(host, bundle, folder)
        for _ in range(repeat):
            changes.once()
        for number, kind in enumerate(broken.KINDS):
            place = folder / f"broken-{number}"
            place.mkdir()
            made = broken.candidate(kind, _ROOT / "service", bundle, place)
            for _ in range(repeat):
                changes.refused(kind, *made)
        return changes.seconds
    finally:
        host.play("remove.yml")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("bundle", type=Path, help="made by `make train`")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="default 3")
    args = parser.parse_args()
    if not (args.bundle / "bundle.json").is_file():
        parser.error(f"{args.bundle} is no bundle. First: make train")
    if complaint := machine.docker_answer():
        parser.error(f"no Docker Engine answers ({complaint}). First: make up")
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(args.bundle.resolve(), args.repeat, Path(folder).resolve())
    (args.output / "releasing.json").write_text(json.dumps(seconds, indent=2) + "\n")
    beyond = False
    for what, each in seconds.items():
        limit, median = _LIMITS.get(what, _REFUSED_WITHIN), statistics.median(each)
        beyond = beyond or median > limit
        print(f"{what:32} {median:5.1f} s  ({min(each):.1f} to {max(each):.1f}; at most {limit})")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
