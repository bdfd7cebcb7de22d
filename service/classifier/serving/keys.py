"""API keys: who may ask. A file holds a name and a SHA-256 for each; no key itself is kept.

`python -m classifier.serving.keys NAME` makes a key and prints it with what the settings need.
"""

import argparse
import hashlib
import re
import secrets
import sys
import threading
import time
from pathlib import Path

from flask import Request

from classifier.config import ConfigError
from classifier.serving.errors import ApiError

_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}) ([0-9a-f]{64})")
_SECONDS_BETWEEN_LOOKS = 1.0


class ApiKeys:
    """The keys of a file, which is read again when it changes; without a file, all may ask."""

    def __init__(self, path: Path | None) -> None:
        """Read the keys at `path`; ConfigError when there are none that can be read."""
        self._path = path
        self._names: dict[str, str] = {}
        self._version: tuple[int, int] | None = None
        self._looked = time.monotonic()
        self._lock = threading.Lock()
        if path is not None:
            self._read()

    def check(self, request: Request) -> str | None:
        """Return the name of the key that `request` carries; ApiError 401 without a known one.

        Who asks on the socket itself, past Nginx, is this host's own (the gate) and needs none.
        """
        if self._path is None or "X-Forwarded-For" not in request.headers:
            return None
        self._read_if_changed()
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        name = self._names.get(_digest(key)) if scheme.lower() == "bearer" else None
        if name is None:
            message = "a known API key is needed; send the header Authorization: Bearer KEY"
            raise ApiError(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
        return name

    def _read_if_changed(self) -> None:
        if time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        with self._lock:
            self._looked = time.monotonic()
            try:
                self._read()
            except ConfigError as error:  # the keys of before go on counting
                print(f"the API keys were not read again: {error}", file=sys.stderr)

    def _read(self) -> None:
        try:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_ino)
            if version == self._version:
                return
            lines = self._path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path}: {error}; it must hold the API keys") from error
        names = {}
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            if not (parts := _LINE.fullmatch(line)):
                raise ConfigError(f"{self._path}: line {number} is no name and SHA-256 of a key")
            names[parts[2]] = parts[1]
        if not names:
            raise ConfigError(f"{self._path}: holds no key; name one, or unset APP_API_KEYS_PATH")
        self._names, self._version = names, version


def make_key(name: str) -> tuple[str, str]:
    """Return a fresh key, and the line of the file that lets it in."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {_digest(key)}"
    if not _LINE.fullmatch(line):
        raise ConfigError(f"{name!r} is no name for a key; use 1 to 64 of A-Z a-z 0-9 . _ -")
    return key, line


def _digest(key: str) -> str:
    # A key is 256 random bits: nothing that a slow hash would have to protect against guessing.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Print a new key and its entry for classifier_api_keys; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m classifier.serving.keys", description=__doc__)
    parser.add_argument("name", help="whose key it is; it stands in the request log")
    try:
        key, line = make_key(parser.parse_args(arguments).name)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    name, digest = line.split()
    print(f"key, shown only now: {key}")
    print(f"for classifier_api_keys: {{name: {name}, sha256: {digest}}}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
