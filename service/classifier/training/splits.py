"""Which example is for training, validation and testing: stratified, seeded, one byte each."""

import math

import numpy

from classifier.training.errors import DataError
from classifier.training.sources import SKIPPED, Scan, Source

UNUSED, TRAIN, VALIDATION, TEST = -1, 0, 1, 2
FEWEST_TEXTS = 3


def check_classes(source: Source, scan: Scan, *, fractions: tuple[float, ...]) -> None:
    """Refuse data that cannot be split by `fractions` with a text of each class on every side."""
    if not scan.counts:
        raise DataError(f"{source.path}: holds no texts; add rows below the header")
    for label, count in scan.counts.items():
        if count == 0:
            raise DataError(
                f"{source.path}: class {label!r} holds no texts; "
                "put .txt files with text into its folder, or remove it"
            )
    if len(scan.labels) == 1:
        raise DataError(
            f"{source.path}: has one class, {scan.labels[0]!r}; a classifier needs two or more"
        )
    least = fewest_texts(fractions)
    label, count = min(scan.counts.items(), key=lambda item: item[1])
    if count < least:
        raise DataError(
            f"{source.path}: class {label!r} has {count} usable texts, the splits need {least}; "
            "add texts, or remove the class"
        )


def fewest_texts(fractions: tuple[float, ...]) -> int:
    """Return the least texts of a class with which every split gets one."""
    return max(FEWEST_TEXTS, *(math.ceil(0.5 / part) for part in fractions if part))


def split(scan: Scan, *, validation: float, test: float, seed: int) -> numpy.ndarray:
    """Return an int8 array: UNUSED, TRAIN, VALIDATION or TEST for each example of the scan.

    `validation` and `test` are fractions of each class.
    """
    labels = numpy.asarray(scan.example_labels)
    parts = numpy.where(labels == SKIPPED, UNUSED, TRAIN).astype(numpy.int8)
    random = numpy.random.default_rng(seed)
    for label in range(len(scan.labels)):
        examples = random.permutation(numpy.flatnonzero(labels == label))
        tests = math.floor(len(examples) * test + 0.5)
        validations = math.floor(len(examples) * validation + 0.5)
        parts[examples[:tests]] = TEST
        parts[examples[tests : tests + validations]] = VALIDATION
    return parts


def all_test(scan: Scan) -> numpy.ndarray:
    """Return the parts of a source that is held out as a whole."""
    labels = numpy.asarray(scan.example_labels)
    return numpy.where(labels == SKIPPED, UNUSED, TEST).astype(numpy.int8)
