"""The data of a training run: its three splits, given or taken out of one source."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy

from classifier.training import folders, splits
from classifier.training.duplicates import Fingerprints, count_shared
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.settings import Settings
from classifier.training.sources import Scan, Source, open_source, scan
from classifier.training.splits import TEST, TRAIN, VALIDATION, Split


@dataclass(frozen=True)
class Places:
    """Where the texts are; a split that is None is taken out of `training`."""

    training: Path
    validation: Path | None = None
    test: Path | None = None


@dataclass(frozen=True)
class Corpus:
    """Checked data. The digests are "" for a split that was taken out of the training source."""

    training: Split
    validation: Split
    test: Split
    digests: dict[str, str]
    remarks: tuple[str, ...]  # what was odd about the data, a line each
    shared: dict[str, int] = field(default_factory=dict)  # texts of a split also trained on

    @property
    def left_out(self) -> int:
        """How many texts were empty or binary."""
        sources = {split.source.path: split for split in map(self.split, (TRAIN, VALIDATION, TEST))}
        return sum(int((split.parts == splits.UNUSED).sum()) for split in sources.values())

    def split(self, part: int) -> Split:
        """Return the split for TRAIN, VALIDATION or TEST."""
        return {TRAIN: self.training, VALIDATION: self.validation, TEST: self.test}[part]


def find_places(data: Path, validation: Path | None = None, test: Path | None = None) -> Places:
    """Recognise what lies at `data`, a folder of splits included; named splits win over those."""
    try:
        found = folders.find_splits(data) if data.is_dir() else {}
    except OSError as error:
        raise DataError(f"{error.filename or data}: {error.strerror or error}") from error
    return Places(
        found.get("train", data),
        validation or found.get("validation"),
        test or found.get("test"),
    )


def read_corpus(places: Places, settings: Settings) -> Corpus:
    """Read all data once and check that it can be trained on; DataError when it cannot."""
    remarks: list[str] = []
    source = open_source(places.training)
    found, prints = _scan(source, remarks)
    validation = 0.0 if places.validation else settings.validation_fraction
    test = 0.0 if places.test else settings.test_fraction
    splits.check_classes(source, found, fractions=(validation, test))
    parts = splits.split(found, validation=validation, test=test, seed=settings.seed)
    taken = {part: Split(source, found, parts, part) for part in (TRAIN, VALIDATION, TEST)}
    digests, all_prints = {"data_digest": found.digest}, {TRAIN: prints}
    for part, key, place in (
        (VALIDATION, "validation_digest", places.validation),
        (TEST, "test_digest", places.test),
    ):
        digests[key], all_prints[part] = "", prints
        if place:
            other = open_source(place)
            other_scan, all_prints[part] = _scan(other, remarks)
            other_scan = splits.align(other, other_scan, found)
            digests[key] = other_scan.digest
            taken[part] = Split(other, other_scan, splits.whole(other_scan, part), part)
            remarks += _absent(other, other_scan)
    shared = dict(_shared(taken, all_prints, remarks))
    return Corpus(taken[TRAIN], taken[VALIDATION], taken[TEST], digests, tuple(remarks), shared)


def _scan(source: Source, remarks: list[str]) -> tuple[Scan, Fingerprints]:
    notices, prints = Notices(), Fingerprints()
    found = scan(source, notices, prints)
    remarks += notices.lines(source.path)
    return found, prints


def _absent(source: Source, found: Scan) -> Iterator[str]:
    absent = [label for label, count in found.counts.items() if not count]
    if absent:
        named = ", ".join(map(repr, absent[: splits.NAMED_MOST]))
        more = ", ..." if len(absent) > splits.NAMED_MOST else ""
        yield f"{source.path}: holds no texts of {len(absent)} of the classes: {named}{more}"


def _shared(
    taken: dict[int, Split], prints: dict[int, Fingerprints], remarks: list[str]
) -> Iterator[tuple[str, int]]:
    mask: numpy.ndarray = taken[TRAIN].mask
    for part, name in ((VALIDATION, "validation"), (TEST, "test")):
        shared = count_shared(prints[TRAIN], mask, prints[part], taken[part].mask)
        yield name, shared.count
        if shared.count:
            about = "" if shared.is_exact else "about "
            remarks.append(
                f"{taken[part].source.path}: {about}{shared.count} of {taken[part].count} texts "
                f"for {name} are word for word among those for training; "
                "what is measured on them is better than on new texts"
            )
