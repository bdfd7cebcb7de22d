"""What the service is told by its environment: one place that reads and checks APP_* variables."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

PREFIX = "APP_"
RELEASE_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")  # it travels in JSON and in logs
NUMBER_RANGES = {
    "body_limit_bytes": (1_024, 16_777_216),
    "workers": (1, 64),
    "threads": (1, 64),
    "timeout_seconds": (1, 3_600),
    "request_log_limit_mb": (1, 65_536),
    "stream_limit_mb": (1, 65_536),
    "feedback_limit_mb": (1, 65_536),
}


class ConfigError(Exception):
    """A setting that is missing, unknown or out of range: one line that names the variable."""


@dataclass(frozen=True)
class Settings:
    """The settings of one serving process; the field `noun` is read from APP_NOUN.

    `certificate_path` leads to a JSON file whose not_after says when the site's certificate ends,
    in Unix time; a metric repeats it. A path that is not set (None) turns off what would be written
    or read there, except for the request log, which then goes to standard error, and for metrics,
    which then need a folder that the master makes.
    """

    bundle_dir: Path
    release_id: str = "development"
    body_limit_bytes: int = 65_536
    workers: int = 2
    threads: int = 4
    timeout_seconds: int = 30
    threshold: float = 0.0
    request_log_path: Path | None = None
    request_log_limit_mb: int = 64
    log_texts: bool = False
    stream_limit_mb: int = 1024
    feedback_path: Path | None = None
    feedback_limit_mb: int = 64
    api_keys_path: Path | None = None
    metrics_dir: Path | None = None
    certificate_path: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the APP_* variables of `environment`; ConfigError names the first bad one."""
        given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        known = {PREFIX + field.name.upper(): field for field in fields(cls)}
        for name in sorted(given.keys() - known.keys()):
            raise ConfigError(f"{name} is not a setting; the settings are {', '.join(known)}")
        values = {
            known[name].name: _PARSERS[known[name].type](name, value)
            for name, value in given.items()
        }
        if "bundle_dir" not in values:
            raise ConfigError("APP_BUNDLE_DIR is not set; set it to the folder of a bundle")
        return cls(**values)


def _parse_name(name: str, value: str) -> str:
    if not RELEASE_ID_PATTERN.fullmatch(value):
        raise ConfigError(f"{name} is {value!r}; use 1 to 64 of A-Z a-z 0-9 . _ -")
    return value


def _parse_folder(name: str, value: str) -> Path:
    if not value:
        raise ConfigError(f"{name} is empty; set it to the folder of a bundle")
    return Path(value)


def _parse_path(name: str, value: str) -> Path | None:
    if value and not value.startswith("/"):
        raise ConfigError(f"{name} is {value!r}; set it to a path from the root, or to nothing")
    return Path(value) if value else None


def _parse_number(name: str, value: str) -> int:
    least, most = NUMBER_RANGES[name.removeprefix(PREFIX).lower()]
    number = int(value) if re.fullmatch(r"[0-9]{1,12}", value) else None
    if number is None or not least <= number <= most:
        raise ConfigError(f"{name} is {value!r}; set it to a whole number from {least} to {most}")
    return number


def _parse_share(name: str, value: str) -> float:
    if not re.fullmatch(r"0(\.[0-9]{1,12})?|1(\.0{1,12})?", value):
        raise ConfigError(f"{name} is {value!r}; set it to a number from 0 to 1, such as 0.5")
    return float(value)


def _parse_switch(name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise ConfigError(f"{name} is {value!r}; set it to 1 or 0")
    return value == "1"


_PARSERS: dict[object, Callable[[str, str], object]] = {
    str: _parse_name,
    Path: _parse_folder,
    Path | None: _parse_path,
    int: _parse_number,
    float: _parse_share,
    bool: _parse_switch,
}
