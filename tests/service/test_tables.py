"""Rows of csv, tsv and jsonl: what they may hold, and what is refused by its line."""

import gzip
import json

import pytest
from classifier.training import tables
from classifier.training.errors import DataError
from classifier.training.sources import open_source


def table(root, data, name="t.csv"):
    path = root / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def rows(path):
    return [(label, raw) for label, raw, _ in open_source(path).read()]


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "T.JSONL"])
def test_jsonl_is_read(tmp_path, name):
    lines = [{"text": "a\nb", "label": "y", "id": 1}, {"label": 3, "text": "é"}]
    data = b"\xef\xbb\xbf" + "\n\n".join(map(json.dumps, lines)).encode() + b"\r\n"
    assert rows(table(tmp_path, data, name)) == [("y", b"a\nb"), ("3", "é".encode())]


def test_bad_bytes_and_half_pairs_in_jsonl_are_kept_for_cleaning(tmp_path):
    data = b'{"label": "x", "text": "caf\xe9"}\n{"label": "x", "text": "a\\ud83d"}\n'
    assert rows(table(tmp_path, data, "t.jsonl")) == [
        ("x", b"caf\xe9"),
        ("x", b"a\xed\xa0\xbd"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{label: x}", "line 2 is no JSON: .*; write one object a line"),
        (b"[" * 100_000, "line 2 is no JSON"),
        (b'["x", "y"]', 'line 2 is not an object with "label" and "text"'),
        (b'{"label": "x"}', 'line 2 is not an object with "label" and "text"'),
        (b'{"label": null, "text": "y"}', "line 2 has a label that is null and a text that is a"),
        (b'{"label": true, "text": "y"}', "a label that is true or false"),
        (b'{"label": ["a", "b"], "text": "y"}', "a label that is a list"),
        (b'{"label": "x", "text": 5}', "a text that is a number"),
        (b'{"label": " ", "text": "y"}', "line 2 has an empty label"),
    ],
)
def test_a_line_that_cannot_be_understood_is_refused(tmp_path, line, message):
    data = b'{"label": "x", "text": "y"}\n' + line + b"\n"
    with pytest.raises(DataError, match=message):
        rows(table(tmp_path, data, "t.jsonl"))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("word " * 60, "a label of 299 characters, 'word .*Are the columns label and text swapped"),
        ('"a\nb"', r"the label 'a\\nb', which holds a line end or another control character"),
        ("a\u2028b", "which holds a line end"),
    ],
)
def test_a_label_that_is_none_is_refused(tmp_path, label, message):
    with pytest.raises(DataError, match=message):
        rows(table(tmp_path, f"label,text\n{label},y\n".encode()))


@pytest.mark.parametrize(
    "label", ["C++ / C#", "\u0645\u06cc\u200c\u062e\u0648", "👩\u200d🔬", "..", "a\\b"]
)
def test_labels_may_hold_what_folder_names_cannot(tmp_path, label):
    assert rows(table(tmp_path, f"label,text\n{label},y\n".encode())) == [(label, b"y")]


def test_an_open_quote_is_told_from_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_FIELD", 1000)
    data = b'label,text\nx,y\nx,"never closed\n' + b"x,y\n" * 400
    with pytest.raises(DataError, match="is a double quote left open from line 3 on"):
        rows(table(tmp_path, data))


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_a_quote_that_is_open_at_the_end_swallows_no_rows(tmp_path, name, end):
    data = b'label,text\nx,"closed\n\n"\nx,"never closed\nx,y' + end
    path = table(tmp_path, data.replace(b",", b"\t") if ".tsv" in name else data, name)
    with pytest.raises(DataError, match="a double quote is left open from line 5 on, to the end"):
        rows(path)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("last", [b'"closed\n"', b'a 5" pipe', b'""'])
def test_a_quote_that_is_closed_at_the_end_is_none_of_these(tmp_path, last, end):
    found = rows(table(tmp_path, b"label,text\nx,y\nx," + last + end))
    assert found == [("x", b"y"), ("x", last.removeprefix(b'"').removesuffix(b'"'))]


@pytest.mark.parametrize(
    ("name", "data"),
    [("t.csv", b"label,text\n" + b"y" * 5000), ("t.csv", b"y" * 5000), ("t.jsonl", b"y" * 5000)],
)
def test_one_endless_line_is_refused_instead_of_held(tmp_path, monkeypatch, name, data):
    monkeypatch.setattr(tables, "LONGEST_FIELD", 1000)
    with pytest.raises(DataError, match="a line of 1000 characters or more"):
        rows(table(tmp_path, data, name))


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz", "t.jsonl"])
def test_utf16_tables_are_refused_by_name(tmp_path, name):
    with pytest.raises(DataError, match="is UTF-16; save it as UTF-8"):
        rows(table(tmp_path, "label,text\nx,y\n".encode("utf-16"), name))
