"""Splits are stratified and seeded, and impossible ones are refused before any training."""

from array import array
from pathlib import Path

import numpy
import pytest
from classifier.training import splits
from classifier.training.errors import DataError
from classifier.training.sources import SKIPPED, Scan, Source

SOURCE = Source(Path("mails"), lambda: iter(()), None, is_folder=False)


def scan_of(**counts):
    labels = tuple(sorted(counts))
    places = [place for place, label in enumerate(labels) for _ in range(counts[label])]
    return Scan(labels, array("i", [SKIPPED, *places]), "", {k: counts[k] for k in labels})


def test_every_class_is_split_alike():
    scan = scan_of(big=1000, small=20)
    parts = splits.split(scan, validation=0.1, test=0.2, seed=3)
    labels = numpy.asarray(scan.example_labels)
    found = {
        label: numpy.bincount(parts[labels == place]).tolist()
        for place, label in enumerate(scan.labels)
    }
    assert found == {"big": [700, 100, 200], "small": [14, 2, 4]}
    assert parts[0] == splits.UNUSED


def test_the_seed_decides():
    scan = scan_of(a=50, b=50)
    first, again, other = (
        splits.split(scan, validation=0.1, test=0.1, seed=seed).tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("fractions", [(0.1, 0.1), (0.4, 0.4), (0.01, 0.2), (0.1, 0.0)])
def test_the_fewest_texts_are_enough_for_every_split(fractions):
    scan = scan_of(a=splits.fewest_texts(fractions), b=99)
    splits.check_classes(SOURCE, scan, fractions=fractions)
    parts = splits.split(scan, validation=fractions[0], test=fractions[1], seed=1)
    of_a = set(parts[numpy.asarray(scan.example_labels) == 0].tolist())
    wanted = {splits.TRAIN, splits.VALIDATION, splits.TEST if fractions[1] else splits.TRAIN}
    assert of_a >= wanted


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "mails: holds 1 empty or binary texts and no others"),
        ({"a": 20}, "mails: has one class, 'a'"),
        ({"a": 20, "b": 0}, "mails: class 'b' holds no texts"),
        ({"a": 20, "b": 4}, "mails: class 'b' has 4 usable texts, the splits need 5"),
    ],
)
def test_data_that_cannot_be_split_is_refused(counts, message):
    with pytest.raises(DataError, match=message):
        splits.check_classes(SOURCE, scan_of(**counts), fractions=(0.1, 0.1))
