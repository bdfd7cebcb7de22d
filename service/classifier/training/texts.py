"""One raw text to what training, scoring and the notices see of it. Free of TensorFlow."""

import codecs
from typing import NamedTuple

from classifier.bundle import Limits

# Serving refuses longer texts, so training sees no more of one than that.
LONGEST_TEXT = Limits().text_chars
# A character takes 4 bytes at most: of a file of any size this many are read, and one more tells
# that it is too long.
LONGEST_RAW = 4 * LONGEST_TEXT + 4
_UTF8_MARK = codecs.BOM_UTF8
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Examined(NamedTuple):
    """A text as training sees it, in UTF-8, b"" when left out; what was wrong with it, if so."""

    text: bytes
    problem: str | None


def examine(raw: bytes) -> Examined:
    """Clean a text: decode it, cut it, and leave it out when it is empty or binary."""
    head = raw[:LONGEST_RAW]
    text, problem = _decode(head, is_whole=len(head) == len(raw))
    if "\0" in text:
        return Examined(b"", "binary (holds NUL bytes), left out")
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT]
        problem = problem or f"longer than {LONGEST_TEXT} characters, the rest left out"
    if not text or text.isspace():
        return Examined(b"", "empty, left out")
    return Examined(text.encode(), problem)


def clean(raw: bytes) -> bytes:
    """Return the text as training and scoring see it, in UTF-8; b"" when it is to be left out."""
    return examine(raw).text


def problem(raw: bytes) -> str | None:
    """Name what `clean` did to a text beyond dropping a byte order mark, for a notice."""
    return examine(raw).problem


def _decode(head: bytes, *, is_whole: bool) -> tuple[str, str | None]:
    if head.startswith(_UTF16_MARKS):
        return head.decode("utf-16", errors="replace"), "UTF-16, converted to UTF-8"
    head = head.removeprefix(_UTF8_MARK)
    try:
        # Not final: a cut may have gone through the last character, which is no fault of the text.
        text, _ = codecs.utf_8_decode(head, "strict", is_whole)
    except UnicodeDecodeError:
        return head.decode(errors="replace"), "not UTF-8, the bad bytes replaced by U+FFFD"
    return text, None
