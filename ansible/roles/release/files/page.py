"""Make of the page's sources what Nginx serves: named by content, compressed beforehand.

A source refers to its neighbours by name in double quotes ("app.css", "./csv.js"). In what is made
each such name carries a sum of the file's content, so a file may be kept by browsers for ever, and
files of several releases lie side by side in one folder.
"""

import gzip
import hashlib
import io
import re
from pathlib import Path

ENTRY = "index.html"
ASSETS = "assets"
SUM_DIGITS = 16


class PageError(Exception):
    """A page that can't be made: one line that names the file."""


def make(sources: Path, target: Path) -> dict[str, Path]:
    """Write the page made of `sources` below `target`; what was made, by its path there."""
    page = _Page({path.name: path.read_bytes() for path in sources.iterdir() if path.is_file()})
    if ENTRY not in page.sources:
        raise PageError(f"{sources} has no {ENTRY}")
    made = {ENTRY: page.with_names(ENTRY, prefix=f"{ASSETS}/")}
    for name in sorted(page.sources.keys() - {ENTRY}):
        made[f"{ASSETS}/{page.name_of(name)}"] = page.with_names(name)
    (target / ASSETS).mkdir(parents=True)
    for name, content in made.items():
        (target / name).write_bytes(content)
        (target / f"{name}.gz").write_bytes(_compress(content))
    return {f"{name}{end}": target / f"{name}{end}" for name in made for end in ("", ".gz")}


class _Page:
    """The sources, and the names and contents that follow from them."""

    def __init__(self, sources: dict[str, bytes]) -> None:
        self.sources = sources
        self._made: dict[str, bytes] = {}
        self._open: list[str] = []  # whose references are being named just now
        names = "|".join(re.escape(name) for name in sorted(sources))
        self._reference = re.compile(rf'"(\./)?({names})"'.encode())

    def name_of(self, name: str) -> str:
        """The name of a file with its sum: app.css becomes app.<sum>.css."""
        stem, _, kind = name.rpartition(".")
        digest = hashlib.sha256(self.with_names(name)).hexdigest()[:SUM_DIGITS]
        return f"{stem}.{digest}.{kind}"

    def with_names(self, name: str, prefix: str = "") -> bytes:
        """The content of a file in which every reference is by name with sum."""
        if name not in self._made:
            if name in self._open:
                circle = " -> ".join([*self._open[self._open.index(name) :], name])
                raise PageError(f"Files of the page refer to each other in a circle: {circle}")
            self._open.append(name)
            self._made[name] = self._reference.sub(
                lambda found: self._named(found, prefix), self.sources[name]
            )
            self._open.pop()
        return self._made[name]

    def _named(self, found: re.Match[bytes], prefix: str) -> bytes:
        return f'"{(found[1] or b"").decode()}{prefix}{self.name_of(found[2].decode())}"'.encode()


def _compress(content: bytes) -> bytes:
    # Neither time nor name in it: the same content is the same release
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as out:
        out.write(content)
    return packed.getvalue()
