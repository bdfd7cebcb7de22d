"""CSV in and out, compared with Python's own csv module."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CELLS = st.text(st.sampled_from('ab,;\t"\r\n é🙂=+-@'), max_size=8)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5)
SLOWLY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

READ = """
([name, pieces, delimiter]) => import("/csv.js").then((held) => {
  const reader = new held[name](delimiter);
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
})
"""


@pytest.fixture(scope="module")
def read(browser, sources):
    """Read a text that comes in pieces: read("CsvReader", [piece, ...], ",") -> rows."""
    page = browser.new_page()
    page.goto(sources + "favicon.svg")
    yield lambda *arguments: page.evaluate(READ, arguments)
    page.close()


@SLOWLY
@given(rows=ROWS, delimiter=st.sampled_from(",;\t"), cut=st.integers(0, 60))
def test_what_python_writes_is_read_the_same_however_it_is_cut(read, rows, delimiter, cut):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    text = out.getvalue()
    assert read("CsvReader", [text[:cut], text[cut:]], delimiter) == rows


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_row(read, end):
    assert read("CsvReader", [f"a,b{end}", f'c,"d{end}e"{end}f,'], ",") == [
        ["a", "b"], ["c", f"d{end}e"], ["f", ""]
    ]  # fmt: skip
    assert read("LineReader", [f"a b{end}", f"c{end}", "d"], None) == [["a b"], ["c"], ["d"]]


def test_a_line_break_cut_in_two_is_one(read):
    assert read("CsvReader", ["a\r", "\nb"], ",") == [["a"], ["b"]]
    assert read("LineReader", ["a\r", "\nb\r"], None) == [["a"], ["b"]]


def test_a_quote_that_is_never_closed_is_named_by_its_line(read):
    with pytest.raises(Exception, match="quotation mark in line 2 is never closed"):
        read("CsvReader", ['a,b\n"c,d\ne,f\n'], ",")


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [("a,b\n", ","), ("a;b,c;d\n", ";"), ('"a;b;c",d', ","), ("a\tb", "\t"), ("text", ",")],
)
def test_the_delimiter_is_told_from_the_first_line(call, head, delimiter):
    assert call("csv.js", "guessDelimiter", head) == delimiter


@SLOWLY
@given(row=st.lists(CELLS, min_size=2, max_size=4))
def test_what_is_written_reads_the_same_in_python_and_starts_no_formula(call, row):
    line = call("csv.js", "csvLine", row)
    (cells,) = csv.reader(io.StringIO(line, newline=""), strict=True)
    assert [cell.removeprefix("'") for cell in cells] == row
    assert [cell for cell in cells if cell.lstrip()[:1] in {"=", "+", "-", "@"}] == []


@pytest.mark.parametrize("number", ["-5", "+1.5", "-1,234", "1e-05", "-2E+3"])
def test_numbers_stay_numbers(call, number):
    assert call("csv.js", "csvLine", [number]).strip().strip('"') == number
