"""Splits that are given, splits that are taken, and what is said about both."""

import dataclasses
from pathlib import Path

import numpy
import pytest
from classifier.training.corpus import Places, find_places, read_corpus
from classifier.training.errors import DataError
from classifier.training.settings import Settings


def write_table(path, **counts):
    rows = [f"{label},{path.stem} {label} {n}" for label in counts for n in range(counts[label])]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("label,text\n" + "\n".join(rows) + "\n")
    return path


def write_folders(path, **counts):
    for label, count in counts.items():
        (path / label).mkdir(parents=True)
        for n in range(count):
            (path / label / f"{n}.txt").write_text(f"{path.name} {label} {n}")
    return path


def read(data, validation=None, test=None, **settings):
    return read_corpus(find_places(data, validation, test), Settings(**settings))


def counts(corpus):
    return [
        numpy.bincount(
            numpy.asarray(split.scan.example_labels)[split.mask], minlength=len(split.scan.labels)
        ).tolist()
        for split in (corpus.training, corpus.validation, corpus.test)
    ]


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "Validation"])
@pytest.mark.parametrize(
    "write", [write_folders, lambda p, **c: write_table(Path(f"{p}.csv"), **c)]
)
def test_splits_in_a_folder_are_recognised(tmp_path, write, name):
    write(tmp_path / "train", a=6, b=5)
    write(tmp_path / name, a=2, b=1)
    write(tmp_path / "test", a=3, b=4)
    (tmp_path / "README.md").touch()
    (tmp_path / ".git").mkdir()
    corpus = read(tmp_path)
    assert counts(corpus) == [[6, 5], [2, 1], [3, 4]]
    assert corpus.remarks == ()
    assert all(corpus.digests.values())


def test_a_split_that_is_missing_is_taken_out_of_train(tmp_path):
    write_folders(tmp_path / "train", a=10, b=20)
    write_folders(tmp_path / "test", a=3, b=4)
    corpus = read(tmp_path, validation_fraction=0.2)
    assert counts(corpus) == [[8, 16], [2, 4], [3, 4]]
    assert corpus.digests["validation_digest"] == ""


def test_named_splits_win_over_those_in_the_folder(tmp_path):
    write_table(tmp_path / "d" / "train.csv", a=10, b=10)
    write_table(tmp_path / "d" / "test.csv", a=1, b=1)
    write_table(tmp_path / "v.csv", a=2, b=2)
    other = write_table(tmp_path / "t.csv", a=5, b=5)
    assert counts(read(tmp_path / "d", tmp_path / "v.csv", other)) == [[10, 10], [2, 2], [5, 5]]


def test_classes_may_be_called_train_and_test(tmp_path):
    write_folders(tmp_path, train=10, test=10, plane=10)
    assert read(tmp_path).training.scan.labels == ("plane", "test", "train")


def test_two_classes_called_train_and_test_are_classes(tmp_path):
    write_folders(tmp_path, train=10, test=10)
    assert find_places(tmp_path) == Places(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train.csv", "train.csv.gz"], "train.csv and train.csv.gz are both for train; remove"),
        (["train.csv", "dev.csv", "val.csv"], "dev.csv and val.csv are both for validation"),
        (["test.csv", "dev.csv"], "holds validation, test but no train; add it"),
    ],
)
def test_splits_that_are_unclear_are_refused(tmp_path, names, message):
    for name in names:
        (tmp_path / name).write_text("label,text\n")
    with pytest.raises(DataError, match=message):
        find_places(tmp_path)


def test_labels_of_a_split_follow_those_of_training(tmp_path):
    train = write_table(tmp_path / "train.csv", a=9, b=9, c=9)
    test = write_table(tmp_path / "test.csv", c=2, b=1)
    corpus = read(train, test=test)
    assert corpus.test.scan.labels == ("a", "b", "c")
    assert counts(corpus)[2] == [0, 1, 2]
    assert corpus.remarks == (f"{test}: holds no texts of 1 of the classes: 'a'",)


@pytest.mark.parametrize(("option", "place"), [("validation", 0), ("test", 1)])
def test_a_label_that_is_not_trained_on_is_refused(tmp_path, option, place):
    train = write_table(tmp_path / "train.csv", a=9, b=9)
    other = write_table(tmp_path / "other.csv", z=2)
    with pytest.raises(DataError, match=r"other\.csv: the label 'z' is not one trained on \(a, b"):
        read(train, **{option: other})


def test_with_all_splits_given_one_text_of_a_class_is_enough(tmp_path):
    for name in ("train", "val", "test"):
        write_table(tmp_path / f"{name}.csv", a=1, b=1)
    assert counts(read(tmp_path)) == [[1, 1], [1, 1], [1, 1]]


def test_duplicates_across_given_splits_are_reported(tmp_path):
    (tmp_path / "train.csv").write_text("label,text\n" + "a,same\na,s\nb,t\nb,u\n" * 5)
    (tmp_path / "test.csv").write_text("label,text\na,same\nb,new\nb,t\n")
    (tmp_path / "val.csv").write_text("label,text\na,other\n")
    corpus = read(tmp_path)
    assert corpus.shared == {"validation": 0, "test": 2}
    assert f"{tmp_path / 'test.csv'}: 2 of 3 texts for test are word for word" in corpus.remarks[-1]


def test_duplicates_across_taken_splits_are_reported(tmp_path):
    (tmp_path / "t.csv").write_text("label,text\n" + "a,x\nb,y\n" * 20)
    corpus = read(tmp_path / "t.csv")
    assert corpus.shared == {"validation": 4, "test": 4}


@pytest.mark.parametrize("other", ["spam", "Spam ", "sPAM", "\uff33\uff30\uff21\uff2d"])
def test_labels_that_only_look_different_are_refused(tmp_path, other):
    write_folders(tmp_path, Spam=9, ham=9)
    if other == "Spam ":
        (tmp_path / other).mkdir()
        (tmp_path / other / "1.txt").write_text("x")
    else:
        write_folders(tmp_path, **{other: 1})
    with pytest.raises(DataError, match="differ only in case, spaces or spelling of accents"):
        read(tmp_path)


def test_all_tiny_classes_are_named_at_once(tmp_path):
    path = write_table(tmp_path / "t.csv", big=30, **{f"c{n}": 1 + n % 2 for n in range(9)})
    with pytest.raises(
        DataError,
        match=r"'c0' has 1 usable text, the splits need 5 \(too few too: "
        r"'c2', 'c4', 'c6', 'c8', 'c1', \.\.\.\); add texts",
    ):
        read(path)


def test_an_id_in_place_of_the_label_is_refused(tmp_path):
    path = write_table(tmp_path / "t.csv", **{f"id{n}": 1 for n in range(10_001)})
    with pytest.raises(DataError, match="has 10001 different labels, such as 'id0'.*swapped"):
        read(path)


@pytest.mark.parametrize("refit", ["all", "none"])
def test_an_error_of_a_reader_reaches_the_user_out_of_tensorflow(tmp_path, refit):
    """The table changes after the count and before the vectorising."""
    from classifier.training import train

    path = write_table(tmp_path / "t.csv", a=9, b=9)
    corpus = read(path)
    whole = path.read_bytes()
    reads = iter([whole, whole[: len(whole) // 2]])
    source = dataclasses.replace(
        corpus.training.source,
        read=lambda: (path.write_bytes(next(reads)), corpus.training.source.read())[1],
    )
    training = dataclasses.replace(corpus.training, source=source)
    changed = dataclasses.replace(corpus, training=training)
    with pytest.raises(
        DataError, match="^[^ ]*t.csv: changed while it was being read; start again$"
    ):
        train.train(changed, Settings(epochs=1, refit=refit))
