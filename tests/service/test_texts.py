"""What becomes of a raw text, and what is said about it."""

import pytest
from classifier.training.texts import LONGEST_RAW, LONGEST_TEXT, examine


@pytest.mark.parametrize(
    "text", ["plain", "Éa\u2028b", " kept \n", "x" * LONGEST_TEXT, "\U0001f600"]
)
def test_a_good_text_is_left_as_it_is(text):
    assert examine(text.encode()) == (text.encode(), None)


@pytest.mark.parametrize("text", ["", " \r\n\t", "\xa0\u2003", "\ufeff", "\ufeff \n"])
def test_an_empty_text_is_left_out(text):
    assert examine(text.encode()) == (b"", "empty, left out")


@pytest.mark.parametrize("raw", [b"PK\0\1", b"a" * 99 + b"\0"])
def test_a_binary_text_is_left_out(raw):
    assert examine(raw) == (b"", "binary (holds NUL bytes), left out")


@pytest.mark.parametrize("character", ["a", "é", "€", "\U0001f600"])
@pytest.mark.parametrize("count", [LONGEST_TEXT + 1, LONGEST_RAW, 5_000_000])
def test_a_long_text_is_cut_at_a_character(character, count):
    text, problem = examine(character.encode() * count)
    assert text.decode() == character * LONGEST_TEXT
    assert problem == "longer than 10000 characters, the rest left out"


def test_bytes_that_are_not_utf8_are_replaced():
    text, problem = examine("café".encode("latin-1"))
    assert text == "caf\ufffd".encode()
    assert problem == "not UTF-8, the bad bytes replaced by U+FFFD"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_converted(encoding):
    mark = "" if encoding == "utf-16" else "\ufeff"
    text, problem = examine((mark + "café").encode(encoding))
    assert text == "café".encode()
    assert problem == "UTF-16, converted to UTF-8"
