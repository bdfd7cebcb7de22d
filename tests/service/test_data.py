"""The tf.data pipeline: the right texts, in order, made into ids once."""

import numpy
import pytest
import tensorflow as tf
from classifier.bundle import TokenizerSettings
from classifier.serving.tokenizer import Tokenizer
from classifier.training import data, splits
from classifier.training.cache import IdCache
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.sources import open_source, scan
from classifier.training.splits import Split
from classifier.training.texts import LONGEST_TEXT


@pytest.fixture
def folder(tmp_path):
    for label, texts in {"b": [b"\xef\xbb\xbfone two", b"", b"caf\xe9"], "a": [b"three"]}.items():
        (tmp_path / "d" / label / "deep").mkdir(parents=True)
        for place, text in enumerate(texts):
            (tmp_path / "d" / label / f"{place}.txt").write_bytes(text)
    (tmp_path / "d" / "a" / "deep" / "5.txt").write_bytes(b"four")
    return tmp_path / "d"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"label,text\na,three\na,four\nb,one two\nb,\nb,caf\xe9\n")
    return path


def split_of(path, part=splits.TRAIN, parts=None):
    source = open_source(path)
    found = scan(source, Notices())
    parts = splits.split(found, validation=0, test=0, seed=1) if parts is None else parts
    return Split(source, found, parts, part)


def stream(split):
    return [
        (t.decode(), int(y))
        for dataset in data.text_datasets(split)
        for texts, places in dataset.as_numpy_iterator()
        for t, y in zip(texts, places, strict=True)
    ]


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_usable_texts_come_clean_with_their_labels(kind, request):
    split = split_of(request.getfixturevalue(kind))
    assert stream(split) == [("three", 0), ("four", 0), ("one two", 1), ("caf\ufffd", 1)]


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_part_holds_its_texts_only(kind, request):
    parts = numpy.array([0, 1, 2, -1, 1], numpy.int8)
    split = split_of(request.getfixturevalue(kind), splits.VALIDATION, parts)
    assert stream(split) == [("four", 0), ("caf\ufffd", 1)]
    assert [text for text, _ in split.texts()] == [b"four", "caf\ufffd".encode()]


def test_a_very_long_text_is_cut_in_both_readers(folder):
    (folder / "a" / "0.txt").write_bytes("é ".encode() * 5_000_000)
    split = split_of(folder)
    [(first, _), *_] = stream(split)
    assert first == "é " * (LONGEST_TEXT // 2)
    assert next(split.texts())[0] == first.encode()


def remove(folder):
    (folder / "b" / "2.txt").unlink()


@pytest.mark.parametrize("change", [lambda d: (d / "a" / "9.txt").write_bytes(b"new"), remove])
def test_a_folder_that_changes_while_it_is_read_is_refused(folder, change):
    split = split_of(folder)
    change(folder)
    with pytest.raises(DataError, match="changed while it was being read"):
        stream(split)


@pytest.mark.parametrize("rows", [b"label,text\na,three\n", b"label,text\n" + b"a,x\n" * 9])
def test_a_table_that_changes_while_it_is_read_is_refused(table, rows):
    split = split_of(table)
    table.write_bytes(rows)
    with pytest.raises(DataError, match="changed while it was being read"):
        list(split.texts())


VOCABULARY = ("a", "b", "a b")


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('label,text\nx,a b\ny,A!\nx,""" """\ny,b a b a\n')
    return split_of(path)


def tokenizer_for(most=4):
    told = TokenizerSettings(
        kind="sequence", ngrams=2, words=2, pairs=1, pieces=0, max_tokens=5, max_length=most
    )
    return Tokenizer(VOCABULARY, told)


def kept_batches(split, *, size, seed=None, below=None, place="memory", shard_texts=100):
    cache = IdCache(split.count, id_count=5, shard_texts=shard_texts, place=place, seed=1)
    return data.batches(data.fill(cache, split, tokenizer_for()), size, seed, below)


def streamed(split, *, size, seed=None, below=None):
    return data.streamed_batches(
        split, tokenizer_for(), batch_size=size, shuffle_texts=100, shuffle_seed=seed, below=below
    )


def test_texts_become_ids_in_the_order_of_the_source(words, monkeypatch):
    monkeypatch.setattr(data, "READ_BATCH", 3)
    found = list(data.tokenise(words, tokenizer_for()))
    assert [texts.lengths.tolist() for texts in found] == [[3, 2, 2], [4]]
    assert [texts.ids.tolist() for texts in found] == [[2, 3, 4, 2, 1, 1, 1], [3, 2, 3, 2]]
    assert [texts.labels.tolist() for texts in found] == [[0, 1, 0], [1]]


@pytest.mark.parametrize("make", [kept_batches, streamed])
def test_ids_are_padded_to_the_longest_of_the_batch_and_cut(words, make):
    found = [(ids.tolist(), y.tolist()) for ids, y in make(words, size=2).as_numpy_iterator()]
    assert found == [([[2, 3, 4], [2, 1, 0]], [0, 1]), ([[1, 1, 0, 0], [3, 2, 3, 2]], [0, 1])]


@pytest.mark.parametrize("make", [kept_batches, streamed])
def test_ids_from_a_limit_on_are_left_out_when_asked(words, make):
    found = [ids.tolist() for ids, _ in make(words, size=2, below=3).as_numpy_iterator()]
    assert found == [[[2, 0], [2, 1]], [[1, 1], [2, 2]]]
    nothing = [ids.shape for ids, _ in make(words, size=2, below=1).as_numpy_iterator()]
    assert nothing == [(2, 0), (2, 0)]


@pytest.mark.parametrize("make", [kept_batches, streamed])
def test_how_many_batches_there_are_is_known(words, make):
    assert make(words, size=3).cardinality() == 2
    assert make(words, size=3).element_spec == (
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None], tf.int32),
    )


def orders(batches, epochs=3):
    return [[int(y) for _, ys in batches.as_numpy_iterator() for y in ys] for _ in range(epochs)]


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("label,text\n" + "".join(f"{n:02},a\n" for n in range(40)))
    return split_of(path)


@pytest.mark.parametrize("make", [kept_batches, streamed])
def test_texts_are_mixed_anew_in_each_epoch_and_alike_with_the_same_seed(many, make):
    first, second, third = found = orders(make(many, size=2, seed=1))
    assert first != second != third
    assert all(sorted(order) == list(range(40)) for order in found)
    assert orders(make(many, size=2, seed=1)) == found
    assert orders(make(many, size=2, seed=2)) != found


def test_the_place_of_the_cache_changes_nothing(many):
    found = [
        orders(kept_batches(many, size=7, seed=1, place=place, shard_texts=9))
        for place in (
            "memory",
            "disk",
            "auto",
        )
    ]
    assert found[0] == found[1] == found[2]


def test_a_cache_reads_the_texts_once(many, monkeypatch):
    batches = kept_batches(many, size=8)
    monkeypatch.setattr(Split, "batches", lambda *_: pytest.fail("read again"))
    assert len(orders(batches)[2]) == 40
