"""Labelled texts on disk, read as a stream: class folders of .txt files, or a table.

Free of TensorFlow, so that asking whether a bundle is up to date, or scoring one, starts at once.
"""

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy

from classifier.training import folders
from classifier.training.duplicates import Fingerprints
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.tables import TABLE_SUFFIXES, Example, is_table, read_table
from classifier.training.texts import LONGEST_TEXT, clean, examine, problem

__all__ = [
    "LONGEST_TEXT",
    "SKIPPED",
    "Example",
    "Scan",
    "Source",
    "clean",
    "open_source",
    "problem",
    "scan",
]

SKIPPED = -1


@dataclass(frozen=True)
class Source:
    """Labelled texts: `read()` streams all of them anew, always in the same order."""

    path: Path
    read: Callable[[], Iterator[Example]]
    labels: tuple[str, ...] | None  # None: known once all of it was read
    is_folder: bool


@dataclass(frozen=True)
class Scan:
    """What one pass over a source tells. `example_labels` holds a label's place, or SKIPPED."""

    labels: tuple[str, ...]
    example_labels: array | numpy.ndarray
    digest: str
    counts: dict[str, int] = field(default_factory=dict)


def open_source(path: str | os.PathLike[str]) -> Source:
    """Recognise what lies at `path`; DataError when it holds no labelled texts."""
    place = Path(path)
    try:
        if place.is_dir():
            if parts := folders.find_splits(place):
                raise DataError(
                    f"{place}: holds splits, not classes; "
                    f"give one of them: {', '.join(str(path) for path in parts.values())}"
                )
            labels = folders.class_folders(place)
            return Source(place, lambda: folders.read_folders(place, labels), labels, True)
        if place.is_file() and is_table(place):
            return Source(place, lambda: read_table(place), None, is_folder=False)
    except OSError as error:
        raise DataError(f"{error.filename or place}: {error.strerror or error}") from error
    if not place.exists():
        raise DataError(f"{place}: no such file or folder; give a folder of class folders or a csv")
    raise DataError(
        f"{place}: neither a folder nor one of {', '.join(TABLE_SUFFIXES)}; "
        "give a folder of class folders or a table with the columns label and text"
    )


def scan(source: Source, notices: Notices, fingerprints: Fingerprints | None = None) -> Scan:
    """Read all of `source` once: which examples to use, their labels, and a digest of it all.

    Per example 2 bytes are kept (4 with more than 32,000 labels), and its fingerprint if asked.
    """
    places = {label: place for place, label in enumerate(source.labels or ())}
    for where in folders.strangers(source.path) if source.is_folder else ():
        notices.take("not a .txt file in a class folder, left out", where)
    example_labels, counts, digest = array("h"), Counter(), hashlib.sha256()
    for number, (label, raw, where) in enumerate(source.read()):
        text, wrong = examine(raw)
        notices.take(wrong, where)
        place = SKIPPED
        if text:
            place = places.setdefault(label, len(places))
            if place >= 2**15 and example_labels.typecode == "h":
                example_labels = array("i", example_labels)
            counts[label] += 1
            _digest_into(digest, label.encode(), text)
            if fingerprints is not None:
                fingerprints.add(number, text)
        example_labels.append(place)
    labels = tuple(sorted(places))
    kind, ranks = example_labels.typecode, {label: rank for rank, label in enumerate(labels)}
    # SKIPPED is -1, which takes the last item: SKIPPED again.
    order = numpy.array([*(ranks[label] for label in places), SKIPPED], kind)
    ordered = order[numpy.frombuffer(example_labels, kind)]
    return Scan(labels, ordered, digest.hexdigest(), {label: counts[label] for label in labels})


def _digest_into(digest: "hashlib._Hash", label: bytes, text: bytes) -> None:
    for part in (label, text):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
