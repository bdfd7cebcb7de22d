"""Exact duplicates between splits, counted from 8 bytes a text instead of the texts.

Up to MOST_HASHES texts the count is exact, but for a chance of one in millions of two texts with
one hash. Beyond that only texts whose hash ends in k zero bits are kept, k growing as needed, and
the count is an estimate: P. B. Gibbons, "Distinct sampling for highly-accurate answers to distinct
values queries and event reports", VLDB 2001.
"""

import hashlib
from array import array
from dataclasses import dataclass

import numpy

MOST_HASHES = 4_000_000  # of 12 bytes each, with the place


class Fingerprints:
    """The hashes of the texts of one source, with their places in it."""

    def __init__(self, most: int = MOST_HASHES) -> None:
        self._most = most
        self._hashes, self._places = array("Q"), array("I")
        self.every = 1  # one text in so many is kept

    def add(self, place: int, text: bytes) -> None:
        """Note the text at `place`."""
        value = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
        if value % self.every:
            return
        self._hashes.append(value)
        self._places.append(place)
        if len(self._hashes) > self._most:
            self.every *= 2
            hashes, places = self.kept(self.every)
            self._hashes = array("Q", hashes.tobytes())
            self._places = array("I", places.tobytes())

    def kept(self, every: int) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return hashes and places of the sample of one text in `every`."""
        hashes = numpy.array(self._hashes, numpy.uint64)
        keep = hashes % numpy.uint64(every) == 0
        return hashes[keep], numpy.array(self._places, numpy.uint32)[keep]


@dataclass(frozen=True)
class Shared:
    """How many texts of a split are among the training texts, word for word."""

    count: int
    is_exact: bool


def count_shared(
    training: Fingerprints, training_mask: numpy.ndarray, other: Fingerprints, mask: numpy.ndarray
) -> Shared:
    """Count the texts of `other` under `mask` that are among those of `training` under its mask."""
    every = max(training.every, other.every)
    ours, ours_at = training.kept(every)
    theirs, theirs_at = other.kept(every)
    found = numpy.isin(theirs[mask[theirs_at]], ours[training_mask[ours_at]])
    return Shared(int(found.sum()) * every, every == 1)
