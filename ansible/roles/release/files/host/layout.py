"""Where things stand on a host, and the few ways in which they are written there."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PARTS = ("env", "app", "model")
PROGRAM = Path("/usr/local/lib/frontdesk/release.pyz")
SETTINGS = Path("/etc/frontdesk/release.json")


class ReleaseError(Exception):
    """A refusal in one line; `details` (JSON-ready) says what was expected, got and logged."""

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Layout:
    """The settings that Ansible wrote for this program; `root` holds everything else."""

    root: Path
    slots: tuple[str, ...]
    run_dir: Path
    gate_user: str
    gate_timeout_seconds: int
    edge_url: str
    warm_seconds: int
    keep: int
    access_log: Path
    watch_error_percent: float
    watch_p99_ms: int
    trusted_keys: tuple[str, ...] = ()
    compare_dir: Path = Path("/run/frontdesk-compare")  # by its name systemd makes it
    watch_interval_seconds: float = 1

    @classmethod
    def read(cls, path: Path) -> "Layout":
        """Read the settings; ReleaseError where the file is missing or does not fit."""
        try:
            raw = json.loads(path.read_text())
            return cls(
                **{
                    **raw,
                    "root": Path(raw["root"]),
                    "run_dir": Path(raw["run_dir"]),
                    "compare_dir": Path(raw["compare_dir"]),
                    "access_log": Path(raw["access_log"]),
                    "slots": tuple(raw["slots"]),
                    "trusted_keys": tuple(raw["trusted_keys"]),
                }
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseError(
                f"{path} is not usable: {error}. Run configure.yml again."
            ) from error

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def live(self) -> Path:
        return self.root / "live"

    @property
    def history(self) -> Path:
        return self.root / "history.jsonl"

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def assets(self) -> Path:
        """Where Nginx finds the files of all stored pages."""
        return self.root / "assets"

    def store(self, part: str, digest: str = "") -> Path:
        return self.root / "store" / part / digest

    def installed_sum(self, part: str, digest: str) -> Path:
        """Notes the sum of each of a part's files as it was installed."""
        return self.root / "store" / "sums" / f"{part}-{digest}"

    def slot(self, name: str) -> Path:
        return self.root / "slots" / name

    def socket(self, slot: str) -> Path:
        return self.run_dir / f"{slot}.sock"


def link(path: Path, target: str) -> None:
    """Lead `path` to `target` in one rename(2): one always sees the old or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


def write(path: Path, text: str) -> None:
    """Write a whole file or none of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
