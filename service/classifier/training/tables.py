"""Labelled texts in one file, read as a stream: csv, tsv or jsonl, each also as .gz."""

import csv
import gzip
import itertools
import json
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from classifier.training.errors import DataError

TABLE_SUFFIXES = tuple(
    suffix + packed for suffix in (".csv", ".tsv", ".jsonl") for packed in ("", ".gz")
)
# Beyond this a quote was left open, or it is no table: reading on would fill the memory.
LONGEST_FIELD = 32 * 2**20
LONGEST_LABEL = 200
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Example = tuple[str, bytes, str]  # label, raw text, where it stands: "sports/7.txt", "row 12"


def is_table(path: Path) -> bool:
    """Whether the name is that of a table this module reads."""
    return path.name.lower().endswith(TABLE_SUFFIXES)


def has_line_end(label: str) -> bool:
    """Whether a label would break a line of output: control characters and line separators."""
    if label.isprintable():
        return False
    return any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in label)


def read_table(path: Path) -> Iterator[Example]:
    """Stream the rows of a table; DataError says which line cannot be understood."""
    name = path.name.lower()
    opener = gzip.open if name.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            _check_mark(path, file)
        if ".jsonl" in name:
            with opener(path, "rb") as file:
                yield from _objects(path, file)
        else:
            options = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
            with opener(path, "rt", **options) as file:
                yield from _rows(path, file, "excel-tab" if ".tsv" in name else "excel")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}") from error


def _check_mark(path: Path, file: BinaryIO) -> None:
    if file.read(2) in _UTF16_MARKS:
        raise DataError(f"{path}: is UTF-16; save it as UTF-8")


def _lines(path: Path, file: TextIO | BinaryIO) -> Iterator[str | bytes]:
    while line := file.readline(LONGEST_FIELD):
        if len(line) == LONGEST_FIELD:
            raise DataError(
                f"{path}: holds a line of {LONGEST_FIELD} characters or more; "
                "is it a table of texts?"
            )
        yield line


def _rows(path: Path, file: TextIO, dialect: str) -> Iterator[Example]:
    csv.field_size_limit(LONGEST_FIELD)
    has_ended = False

    def ending() -> Iterator[str]:
        nonlocal has_ended
        has_ended = True
        yield "\n"  # a blank row, unless a quote was left open

    reader, end = csv.reader(itertools.chain(_lines(path, file), ending()), dialect), 0
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if "label" not in header or "text" not in header:
            shown = ", ".join(repr(name[:40]) for name in header[:10]) or "none"
            raise DataError(
                f"{path}: needs the columns label and text in its first row; found {shown}"
            )
        label_at, text_at = header.index("label"), header.index("text")
        end = reader.line_num
        for row in reader:
            if row and has_ended:
                raise DataError(
                    f"{path}: a double quote is left open from line {end + 1} on, to the end; "
                    "close it, and double those within texts"
                )
            end = reader.line_num
            if not row:
                continue  # a blank line
            where = f"row ending at line {end}"
            if len(row) != len(header):
                raise DataError(
                    f"{path}: {where} has {len(row)} fields, the header {len(header)}; "
                    "put texts that hold commas or line ends in double quotes"
                )
            label = _bytes(row[label_at]).decode(errors="replace")
            yield _checked(path, label, where), _bytes(row[text_at]), where
    except csv.Error as error:
        advice = (
            f"is a double quote left open from line {end + 1} on?"
            if "field larger" in str(error)
            else "save it as UTF-8 csv"
        )
        raise DataError(f"{path}: not a csv table: {error}; {advice}") from error


def _objects(path: Path, file: BinaryIO) -> Iterator[Example]:
    for number, line in enumerate(_lines(path, file), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            # Bad bytes are kept as they are: cleaning a text replaces and counts them.
            found = json.loads(line.decode("utf-8-sig", errors="surrogateescape"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: {where} is no JSON: {error}; write one object a line") from (
                error
            )
        if not isinstance(found, dict) or "label" not in found or "text" not in found:
            raise DataError(
                f'{path}: {where} is not an object with "label" and "text"; '
                'write {"label": "...", "text": "..."} in each line'
            )
        label, text = found["label"], found["text"]
        if isinstance(label, bool) or not isinstance(label, str | int) or not isinstance(text, str):
            raise DataError(
                f"{path}: {where} has a label that is {_kind(label)} and a text that is "
                f"{_kind(text)}; both are to be strings"
            )
        shown = _bytes(str(label)).decode(errors="replace")
        yield _checked(path, shown, where), _bytes(text), where


def _checked(path: Path, label: str, where: str) -> str:
    label = label.strip()
    if not label:
        raise DataError(f"{path}: {where} has an empty label; fill it in or remove the row")
    if len(label) > LONGEST_LABEL:
        raise DataError(
            f"{path}: {where} has a label of {len(label)} characters, {label[:40]!r}...; "
            f"a label has at most {LONGEST_LABEL}. Are the columns label and text swapped?"
        )
    if has_line_end(label):
        raise DataError(
            f"{path}: {where} has the label {label!r}, which holds a line end or another "
            "control character; rename it"
        )
    return label


def _bytes(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, which JSON can spell and no text can hold
        return value.encode("utf-8", "surrogatepass")


def _kind(value: object) -> str:
    names = {str: "a string", int: "a number", float: "a number", bool: "true or false"}
    return names.get(type(value), {list: "a list", dict: "an object"}.get(type(value), "null"))
