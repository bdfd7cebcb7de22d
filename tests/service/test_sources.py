"""Reading labelled texts: what is taken, what is left out and said, what is refused."""

import gzip
import io
import os

import pytest
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.sources import LONGEST_TEXT, SKIPPED, clean, open_source, scan


def read(path):
    """Return the scan of `path` and what was said about it."""
    notices, said = Notices(), io.StringIO()
    source = open_source(path)
    found = scan(source, notices)
    notices.say(source.path, said)
    return found, said.getvalue()


def folders(root, **files):
    """Write {"class__name": bytes} as class folders and return their parent."""
    for name, data in files.items():
        label, _, rest = name.partition("__")
        (root / "texts" / label).mkdir(parents=True, exist_ok=True)
        (root / "texts" / label / f"{rest}.txt").write_bytes(data)
    return root / "texts"


def table(root, data, name="texts.csv"):
    path = root / name
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "wb") as file:
        file.write(data)
    return path


def texts(path):
    return [(label, raw) for label, raw, _ in open_source(path).read()]


def test_class_folders_are_read_in_sorted_order(tmp_path):
    path = folders(tmp_path, b__2=b"two", b__10=b"ten", a__1=b"one")
    assert texts(path) == [("a", b"one"), ("b", b"ten"), ("b", b"two")]
    found, said = read(path)
    assert found.labels == ("a", "b")
    assert list(found.example_labels) == [0, 1, 1]
    assert found.counts == {"a": 1, "b": 2}
    assert said == ""


def test_hidden_folders_are_no_classes(tmp_path):
    path = folders(tmp_path, a__1=b"one", b__1=b"two")
    (path / ".cache").mkdir()
    assert read(path)[0].labels == ("a", "b")


def test_other_files_are_left_out_and_named(tmp_path):
    path = folders(tmp_path, a__1=b"one", b__1=b"two")
    (path / "README.md").touch()
    (path / "a" / "x.pdf").touch()
    assert (
        "2 texts not a .txt file in a class folder, left out: README.md, a/x.pdf" in read(path)[1]
    )


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "T.CSV"])
def test_tables_are_read_with_columns_in_any_order(tmp_path, name):
    lines = b'id,Text,label\n1,"a, ""b""\nc",y\n2,d,x\n'
    if "tsv" in name:
        lines = b'id\tText\tlabel\n1\t"a, ""b""\nc"\ty\n2\td\tx\n'
    path = table(tmp_path, lines, name)
    assert texts(path) == [("y", b'a, "b"\nc'), ("x", b"d")]
    assert read(path)[0].labels == ("x", "y")
    assert list(read(path)[0].example_labels) == [1, 0]


def test_a_byte_order_mark_is_dropped(tmp_path):
    assert texts(table(tmp_path, b"\xef\xbb\xbflabel,text\nx,y\n")) == [("x", b"y")]
    assert clean(b"\xef\xbb\xbfhello") == b"hello"


def test_a_very_long_field_is_read(tmp_path):
    path = table(tmp_path, b"label,text\nx," + b"word " * 200_000 + b"\n")
    [(_, raw)] = texts(path)
    assert len(raw) == 1_000_000
    assert len(clean(raw).decode()) == LONGEST_TEXT
    assert "1 text longer than 10000 characters, the rest left out: row" in read(path)[1]


def test_bytes_that_are_not_utf8_are_replaced_and_the_file_is_named(tmp_path):
    path = folders(tmp_path, a__1="caf\xe9".encode("latin-1"), b__1=b"two")
    found, said = read(path)
    assert "1 text not UTF-8, the bad bytes replaced by U+FFFD: a/1.txt" in said
    assert found.counts == {"a": 1, "b": 1}
    assert clean(b"caf\xe9") == "caf\ufffd".encode()


def test_bytes_that_are_not_utf8_in_a_table_are_named_by_line(tmp_path):
    said = read(table(tmp_path, b"label,text\nx,fine\ny,caf\xe9\n"))[1]
    assert "U+FFFD: row ending at line 3" in said


def test_empty_and_binary_texts_are_left_out_and_named(tmp_path):
    path = folders(tmp_path, a__1=b"", a__2=b" \r\n\xc2\xa0", a__3=b"fine", b__1=b"PK\0\1")
    found, said = read(path)
    assert "2 texts empty, left out: a/1.txt, a/2.txt" in said
    assert "1 text binary (holds NUL bytes), left out: b/1.txt" in said
    assert list(found.example_labels) == [SKIPPED, SKIPPED, 0, SKIPPED]
    assert found.counts == {"a": 1, "b": 0}


def test_only_the_first_five_are_named(tmp_path):
    path = folders(tmp_path, **{f"a__{n}": b"" for n in range(8)})
    assert (
        "8 texts empty, left out: a/0.txt, a/1.txt, a/2.txt, a/3.txt, a/4.txt and 3 more"
        in (read(path)[1])
    )


def test_the_digest_follows_texts_and_labels_and_nothing_else(tmp_path):
    first = read(table(tmp_path, b"label,text\nx,a\ny,b\n"))[0].digest
    as_folders = read(folders(tmp_path, x__1=b"a", y__1=b"b"))[0].digest
    assert first == as_folders
    for other in (b"label,text\nx,a\ny,c\n", b"label,text\nxa,\ny,b\n", b"label,text\ny,b\nx,a\n"):
        assert read(table(tmp_path, other))[0].digest != first


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"label,body\nx,y\n", "needs the columns label and text in its first row; found 'label'"),
        (b"", "found none"),
        (b"PK\3\4\0\0\xff\xfe\n", "needs the columns label and text"),
        (b"label,text\nx,one, two\n", "row ending at line 2 has 3 fields, the header 2"),
        (b"label,text\nx,y\nz\n", "row ending at line 3 has 1 fields"),
        (b"label,text\n ,y\n", "row ending at line 2 has an empty label"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        read(table(tmp_path, data))


@pytest.mark.parametrize("cut", [0, 4, 20])
def test_a_damaged_gzip_file_is_refused(tmp_path, cut):
    path = table(tmp_path, b"label,text\nx,y\n" * 100, "t.csv.gz")
    path.write_bytes(path.read_bytes()[:-cut] if cut else b"label,text\n")
    with pytest.raises(DataError, match=r"t\.csv\.gz: cannot be read"):
        read(path)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        open_source(tmp_path / "nothing")


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="neither a folder nor one of .csv"):
        open_source(table(tmp_path, b"", "mails.xlsx"))


def test_a_folder_without_class_folders_is_refused(tmp_path):
    (tmp_path / "1.txt").write_text("lonely")
    with pytest.raises(DataError, match="holds no class folders"):
        open_source(tmp_path)


def test_a_train_and_test_pair_is_not_taken_for_classes(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part / "x").mkdir(parents=True)
    with pytest.raises(DataError, match="splits, not classes; give one of them: .*test, .*train"):
        open_source(tmp_path)


def test_a_dangling_link_is_refused_by_name(tmp_path):
    path = folders(tmp_path, a__1=b"one")
    (path / "a" / "2.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"a/2\.txt: not a plain file"):
        read(path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    path = folders(tmp_path, a__1=b"one")
    os.mkfifo(path / "a" / "2.txt")
    with pytest.raises(DataError, match=r"a/2\.txt: not a plain file"):
        read(path)


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path):
    path = folders(tmp_path, a__1=b"one")
    (path / "a" / os.fsdecode(b"\xff.txt")).touch()
    with pytest.raises(DataError, match="is not UTF-8; rename it"):
        read(path)
