"""The tf.data pipeline: the right texts, in order, vectorised once."""

import numpy
import pytest
import tensorflow as tf
from classifier.training import data, splits, vectorize
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.sources import open_source, scan


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


def stream(path, part=splits.TRAIN, parts=None):
    source = open_source(path)
    found = scan(source, Notices())
    parts = splits.split(found, validation=0, test=0, seed=1) if parts is None else parts
    batches = data.text_dataset(source, found, parts, part).as_numpy_iterator()
    return [
        (t.decode(), int(y))
        for texts, places in batches
        for t, y in zip(texts, places, strict=True)
    ]


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_usable_texts_come_clean_with_their_labels(kind, request):
    path = request.getfixturevalue(kind)
    assert stream(path) == [("three", 0), ("four", 0), ("one two", 1), ("caf\ufffd", 1)]


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_part_holds_its_texts_only(kind, request):
    path = request.getfixturevalue(kind)
    parts = numpy.array([0, 1, 2, -1, 1], numpy.int8)
    assert stream(path, splits.VALIDATION, parts) == [("four", 0), ("caf\ufffd", 1)]


def test_a_folder_that_changes_while_it_is_read_is_refused(folder):
    source = open_source(folder)
    found = scan(source, Notices())
    (folder / "a" / "9.txt").write_bytes(b"new")
    with pytest.raises(DataError, match="changed while it was being read"):
        data.text_dataset(source, found, numpy.zeros(5, numpy.int8), splits.TRAIN)


def ids_of(texts, **options):
    layer = vectorize.build(("a", "b", "a b"), 2)
    calls = []

    def count(batch, labels):
        tf.py_function(lambda: calls.append(1), [], [])
        return batch, labels

    pairs = tf.data.Dataset.from_tensor_slices((texts, list(range(len(texts))))).batch(2).map(count)
    return data.id_dataset(pairs, layer, count=len(texts), batch_size=2, **options), calls


def test_ids_are_padded_to_the_longest_of_the_batch_and_cut():
    batches, _ = ids_of(["a b", "A!", "", "b a b a"], max_length=4)
    found = [ids.tolist() for ids, _ in batches.as_numpy_iterator()]
    assert found == [[[2, 3, 4], [2, 0, 0]], [[0, 0, 0, 0], [3, 2, 3, 2]]]


def test_texts_are_vectorised_once_and_mixed_anew_each_epoch():
    texts = ["a"] * 40
    batches, calls = ids_of(texts, max_length=4, shuffle_seed=1)
    orders = [[y for _, ys in batches.as_numpy_iterator() for y in ys] for _ in range(3)]
    assert len(calls) == 20
    assert orders[0] != orders[1] != orders[2]
    assert all(sorted(order) == list(range(40)) for order in orders)
