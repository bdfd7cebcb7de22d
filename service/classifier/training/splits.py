"""Which example is for training, validation and testing: stratified, seeded, one byte each."""

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy

from classifier.training.errors import DataError
from classifier.training.sources import SKIPPED, Scan, Source, clean

UNUSED, TRAIN, VALIDATION, TEST = -1, 0, 1, 2
FEWEST_TEXTS = 3
NAMED_MOST = 5
MOST_LABELS = 10_000


@dataclass(frozen=True)
class Split:
    """The examples of one source that are for one purpose: those whose part is `part`."""

    source: Source
    scan: Scan
    parts: numpy.ndarray
    part: int

    @property
    def mask(self) -> numpy.ndarray:
        """For each example of the source whether it is in this split."""
        return self.parts == self.part

    @property
    def count(self) -> int:
        """How many texts it holds."""
        return int(self.mask.sum())

    def texts(self, every: int = 1) -> Iterator[tuple[bytes, int]]:
        """Stream one cleaned text in `every`, in UTF-8, each with the place of its label."""
        parts = memoryview(self.parts)
        labels = memoryview(numpy.ascontiguousarray(self.scan.example_labels))
        read, seen = 0, -1
        for read, (_, raw, _) in enumerate(self.source.read(), 1):
            if read > len(parts):
                break
            if parts[read - 1] != self.part:
                continue
            seen += 1
            if seen % every == 0:
                yield clean(raw), labels[read - 1]
        if read != len(parts):
            raise DataError(f"{self.source.path}: changed while it was being read; start again")

    def batches(self, size: int) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
        """Stream the cleaned texts and the places of their labels, `size` at a time."""
        texts, labels = [], []
        for text, label in self.texts():
            texts.append(text)
            labels.append(label)
            if len(texts) == size:
                yield numpy.array(texts, object), numpy.array(labels, numpy.int32)
                texts, labels = [], []
        if texts:
            yield numpy.array(texts, object), numpy.array(labels, numpy.int32)


def check_classes(source: Source, scan: Scan, *, fractions: tuple[float, ...]) -> None:
    """Refuse data that cannot be split by `fractions` with a text of each class on every side."""
    if not scan.counts:
        raise _without_texts(source, scan)
    for label, count in scan.counts.items():
        if count == 0:
            raise DataError(
                f"{source.path}: class {label!r} holds no texts; "
                "put .txt files with text into its folder, or remove it"
            )
    _check_labels(source, scan)
    least = fewest_texts(fractions)
    tiny = sorted((count, label) for label, count in scan.counts.items() if count < least)
    if tiny:
        count, label = tiny[0]
        others = ", ".join(repr(label) for _, label in tiny[1 : 1 + NAMED_MOST])
        more = f" (too few too: {others}{', ...' if len(tiny) > 1 + NAMED_MOST else ''})"
        raise DataError(
            f"{source.path}: class {label!r} has {count} usable "
            f"{'text' if count == 1 else 'texts'}, the splits need {least}"
            f"{more if others else ''}; add texts, or remove the class"
        )


def _without_texts(source: Source, scan: Scan) -> DataError:
    left_out = len(scan.example_labels)
    if left_out:
        return DataError(
            f"{source.path}: holds {left_out} empty or binary texts and no others; add some"
        )
    return DataError(f"{source.path}: holds no texts; add rows below the header")


def fewest_texts(fractions: tuple[float, ...]) -> int:
    """Return the least texts of a class with which every split gets one."""
    cut = [math.ceil(0.5 / part) for part in fractions if part]
    return max([1 + len(cut), *cut])


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


def whole(scan: Scan, part: int) -> numpy.ndarray:
    """Return the parts of a source that is one split as a whole."""
    labels = numpy.asarray(scan.example_labels)
    return numpy.where(labels == SKIPPED, UNUSED, part).astype(numpy.int8)


def align(source: Source, scan: Scan, training: Scan) -> Scan:
    """Return the scan of a separate split with its labels as places among those of `training`."""
    if not sum(scan.counts.values()):
        raise _without_texts(source, scan)
    unknown = sorted(set(scan.labels) - set(training.labels))
    if unknown:
        known = ", ".join(training.labels[:20])
        raise DataError(
            f"{source.path}: the label {unknown[0]!r} is not one trained on ({known}); "
            "use the same labels in both"
        )
    places = [training.labels.index(label) for label in scan.labels] + [SKIPPED]
    aligned = numpy.array(places, numpy.int32)[numpy.asarray(scan.example_labels)]
    counts = {label: scan.counts.get(label, 0) for label in training.labels}
    return replace(scan, labels=training.labels, example_labels=aligned, counts=counts)


def _check_labels(source: Source, scan: Scan) -> None:
    if len(scan.labels) == 1:
        raise DataError(
            f"{source.path}: has one class, {scan.labels[0]!r}; a classifier needs two or more"
        )
    if len(scan.labels) > MOST_LABELS:
        raise DataError(
            f"{source.path}: has {len(scan.labels)} different labels, such as {scan.labels[0]!r}; "
            f"at most {MOST_LABELS} make sense. Are the columns label and text swapped?"
        )
    alike: dict[str, str] = {}
    for label in scan.labels:
        other = alike.setdefault(_folded(label), label)
        if other != label:
            raise DataError(
                f"{source.path}: the labels {other!r} ({scan.counts[other]} texts) and {label!r} "
                f"({scan.counts[label]}) differ only in case, spaces or spelling of accents; "
                "make them one, or rename one"
            )


def _folded(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())
