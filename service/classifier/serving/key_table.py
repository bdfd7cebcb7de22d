"""Which of many numbers are known, and what they stand for: a perfect hash table in NumPy.

A number falls into a bucket by one multiplication, and into a place by another, whose factor is the
bucket's own: chosen so that no two known numbers share a place. So each lookup is one comparison,
and those of a whole text are a few calls. The scheme is that of M. L. Fredman, J. Komlos and E.
Szemeredi, "Storing a sparse table with O(1) worst case access time", JACM 1984, with one table for
all buckets.
"""

import numpy

_FACTOR = 0x9E3779B97F4A7C15 - (1 << 64)  # 2^64 divided by the golden ratio, odd, as an int64
_IN_BUCKET = 4  # numbers, about
_PLACES_FOR_EACH = 1.5
_MOST_TRIES = 1000
_LEAST_BITS = 3
_FREE = numpy.iinfo(numpy.int64).max  # no known number


class KeyTable:
    """Finds numbers from 0 to below 2^63 - 1; the n-th known one stands for `first` + n."""

    def __init__(self, keys: numpy.ndarray, first: int) -> None:
        """`keys`: the known numbers, int64; of equal ones the first counts."""
        known, at = numpy.unique(keys, return_index=True)
        bits = max(_LEAST_BITS, int(len(known) * _PLACES_FOR_EACH).bit_length())
        while not self._fill(known, at + first, bits):
            bits += 1

    def find(self, keys: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return which of `keys`, int64, are known, and what those stand for, int32."""
        places = keys * self._factors[(keys * _FACTOR) >> self._bucket_shift]
        places >>= self._shift
        at = (self._keys[places] == keys).nonzero()[0]
        return at, self._values[places[at]]

    def _fill(self, keys: numpy.ndarray, values: numpy.ndarray, bits: int) -> bool:
        """Choose the buckets' factors for 2^bits places; False when a bucket finds none."""
        bucket_bits = max(_LEAST_BITS, bits - _IN_BUCKET.bit_length() + 1)
        # Shifts keep the sign: half of the buckets and places are below 0, counted from the end.
        self._shift, self._bucket_shift = 64 - bits, 64 - bucket_bits
        self._factors = numpy.full(1 << bucket_bits, _FACTOR, numpy.int64)
        self._keys = numpy.full(1 << bits, _FREE, numpy.int64)
        self._values = numpy.zeros(1 << bits, numpy.int32)
        buckets = (keys * _FACTOR) >> self._bucket_shift
        sizes = numpy.bincount(buckets & ((1 << bucket_bits) - 1), minlength=1 << bucket_bits)
        size_of = sizes[buckets]
        claims = numpy.zeros(1 << bits, numpy.int32)
        random = numpy.random.default_rng(1)
        for size in numpy.unique(size_of)[::-1]:  # large buckets first, while there is most room
            rest = (size_of == size).nonzero()[0]
            for _ in range(_MOST_TRIES):
                if not len(rest):
                    break
                factor = int(random.integers(1 << 62)) * 2 + 1
                places = (keys[rest] * factor) >> self._shift
                order = numpy.arange(len(rest), dtype=numpy.int32)
                claims[places] = order  # of those that want a place the last one gets it
                clash = (self._keys[places] != _FREE) | (claims[places] != order)
                clashing = numpy.zeros(1 << bucket_bits, bool)
                clashing[buckets[rest][clash]] = True
                done = ~clashing[buckets[rest]]
                self._factors[buckets[rest][done]] = factor
                self._keys[places[done]] = keys[rest][done]
                self._values[places[done]] = values[rest][done]
                rest = rest[~done]
            if len(rest):
                return False
        return True
