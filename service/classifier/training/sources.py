"""Labelled texts on disk, read as a stream: class folders of .txt files, or a csv/tsv table.

Free of TensorFlow, so that asking whether a bundle is up to date, or scoring one, starts at once.
"""

import csv
import gzip
import hashlib
import os
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from classifier.bundle import Limits
from classifier.training.errors import DataError
from classifier.training.notices import Notices

TEXT_SUFFIX = ".txt"
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
SKIPPED = -1
# Serving refuses longer texts, so training sees no more of one than that.
LONGEST_TEXT = Limits().text_chars
_LONGEST_FIELD = 2**31 - 1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Example = tuple[str, bytes, str]  # label, raw text, where it stands: "sports/7.txt", "row 12"


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
    example_labels: array
    digest: str
    counts: dict[str, int] = field(default_factory=dict)


def open_source(path: str | os.PathLike[str]) -> Source:
    """Recognise what lies at `path`; DataError when it holds no labelled texts."""
    place = Path(path)
    try:
        if place.is_dir():
            labels = _class_folders(place)
            return Source(place, lambda: _read_folders(place, labels), labels, is_folder=True)
        if place.is_file() and place.name.lower().endswith(TABLE_SUFFIXES):
            return Source(place, lambda: _read_table(place), None, is_folder=False)
    except OSError as error:
        raise DataError(f"{error.filename or place}: {error.strerror or error}") from error
    if not place.exists():
        raise DataError(f"{place}: no such file or folder; give a folder of class folders or a csv")
    raise DataError(
        f"{place}: neither a folder nor one of {', '.join(TABLE_SUFFIXES)}; "
        "give a folder of class folders or a table with the columns label and text"
    )


def scan(source: Source, notices: Notices) -> Scan:
    """Read all of `source` once: which examples to use, their labels, and a digest of it all."""
    places = {label: place for place, label in enumerate(source.labels or ())}
    for where in _strangers(source):
        notices.take("not a .txt file in a class folder, left out", where)
    example_labels, counts, digest = array("i"), Counter(), hashlib.sha256()
    for label, raw, where in source.read():
        text = clean(raw)
        notices.take(problem(raw), where)
        if not text:
            example_labels.append(SKIPPED)
            continue
        example_labels.append(places.setdefault(label, len(places)))
        counts[label] += 1
        for part in (label.encode(), text):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    labels = tuple(sorted(places))
    order = {places[label]: place for place, label in enumerate(labels)} | {SKIPPED: SKIPPED}
    ordered = array("i", (order[place] for place in example_labels))
    return Scan(labels, ordered, digest.hexdigest(), {label: counts[label] for label in labels})


def clean(raw: bytes) -> bytes:
    """Return the text as training and scoring see it, in UTF-8; b"" when it is to be left out."""
    if b"\0" in raw:
        return b""
    text = raw.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace")[:LONGEST_TEXT]
    return text.encode() if text.strip() else b""


def problem(raw: bytes) -> str | None:
    """Name what `clean` did to a text beyond dropping a byte order mark, for a notice."""
    if b"\0" in raw:
        return "binary (holds NUL bytes), left out"
    if not clean(raw):
        return "empty, left out"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "not UTF-8, the bad bytes replaced by U+FFFD"
    return None


def _class_folders(folder: Path) -> tuple[str, ...]:
    # As text_dataset_from_directory takes them: sorted, hidden ones left out.
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        raise DataError(
            f"{folder}: holds no class folders; make one folder per class, with .txt files in it"
        )
    if set(names) <= {"train", "test"} and any(p.is_dir() for p in (folder / names[0]).iterdir()):
        raise DataError(
            f"{folder}: holds splits, not classes; "
            f"give {folder / 'train'}, with --test {folder / 'test'} when training"
        )
    for name in names:
        _check_encodable(folder, name)
    return tuple(names)


def _check_encodable(folder: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder}: the name {name!r} in it is not UTF-8; rename it") from error


def _read_folders(folder: Path, labels: tuple[str, ...]) -> Iterator[Example]:
    for label in labels:
        for path in _text_files(folder / label):
            where = str(path.relative_to(folder))
            _check_encodable(folder, where)
            try:
                if not path.is_file():
                    raise DataError(f"{path}: not a plain file; remove it or put the text there")
                yield label, path.read_bytes(), where
            except OSError as error:
                raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _text_files(folder: Path) -> Iterator[Path]:
    """The files of one class, in the order of text_dataset_from_directory."""
    for root, _, names in sorted(os.walk(folder), key=lambda found: found[0]):
        for name in sorted(names):
            if name.lower().endswith(TEXT_SUFFIX):
                yield Path(root, name)


def _strangers(source: Source) -> Iterator[str]:
    """Files of a folder source that hold no text to train on."""
    for root, _, names in os.walk(source.path) if source.is_folder else ():
        inside = Path(root).relative_to(source.path)
        for name in sorted(names):
            if inside == Path() or not name.lower().endswith(TEXT_SUFFIX):
                yield str(inside / name)


def _read_table(path: Path) -> Iterator[Example]:
    csv.field_size_limit(_LONGEST_FIELD)
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    dialect = "excel-tab" if ".tsv" in path.suffixes[-2:] else "excel"
    try:
        with opener(
            path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=""
        ) as lines:
            yield from _rows(path, csv.reader(lines, dialect))
    except csv.Error as error:
        raise DataError(f"{path}: not a csv table: {error}; save it as UTF-8 csv") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}") from error


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[Example]:
    header = [name.strip().casefold() for name in next(reader, [])]
    if "label" not in header or "text" not in header:
        shown = ", ".join(repr(name[:40]) for name in header[:10]) or "none"
        raise DataError(f"{path}: needs the columns label and text in its first row; found {shown}")
    label_at, text_at = header.index("label"), header.index("text")
    for row in reader:
        if not row:
            continue  # a blank line
        where = f"row ending at line {reader.line_num}"
        if len(row) != len(header):
            raise DataError(
                f"{path}: {where} has {len(row)} fields, the header {len(header)}; "
                "put texts that hold commas or line ends in double quotes"
            )
        label = _bytes(row[label_at]).decode(errors="replace").strip()
        if not label:
            raise DataError(f"{path}: {where} has an empty label; fill it in or remove the row")
        yield label, _bytes(row[text_at]), where


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
