"""Texts as ids, kept between epochs: in memory, or in a file that no name leads to.

Texts are dealt at random to shards of about one shuffle buffer each. An epoch takes the shards in a
new random order and mixes each in memory: the order is as good as that of one shuffle over all
texts, however the source is sorted, and one shard is all that must be held.

    block   the texts of one shard that were written together: lengths, labels, ids, as arrays

The file is unlinked as soon as it is open (or never linked): it goes away with the process, also
when that is killed.
"""

import errno
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy

from classifier.training.errors import TrainError
from classifier.training.settings import MEMORY_LIMIT_BYTES

_PENDING_BYTES = 32 * 2**20  # collected before blocks are made
_FALLBACK_FOLDER = "/var/tmp"  # noqa: S108 - a folder to make nameless files in, on a disk
_LABEL_TYPE, _LENGTH_TYPE = numpy.dtype(numpy.int32), numpy.dtype(numpy.int32)


class Texts(NamedTuple):
    """Texts as ids, one after the other in `ids`, `lengths[i]` of them for text i."""

    ids: numpy.ndarray
    lengths: numpy.ndarray
    labels: numpy.ndarray

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return self.ids.nbytes + self.lengths.nbytes + self.labels.nbytes

    def take(self, places: numpy.ndarray) -> Self:
        """Return the texts at `places`, in that order."""
        ends = numpy.cumsum(self.lengths)
        starts = ends - self.lengths
        # Slices: an index for every single id costs several times as much.
        pieces = [
            self.ids[start:end]
            for start, end in zip(starts[places].tolist(), ends[places].tolist(), strict=True)
        ]
        ids = numpy.concatenate(pieces) if pieces else self.ids[:0]
        return Texts(ids, self.lengths[places], self.labels[places])

    def cut(self, start: int, end: int) -> Self:
        """Return texts `start` to before `end`, without copying."""
        first = int(self.lengths[:start].sum())
        last = first + int(self.lengths[start:end].sum())
        return Texts(self.ids[first:last], self.lengths[start:end], self.labels[start:end])

    def keep_below(self, end: int) -> Self:
        """Return the texts with only their ids below `end`."""
        kept = self.ids < end
        starts = numpy.concatenate([[0], numpy.cumsum(kept)])
        ends = numpy.cumsum(self.lengths)
        lengths = numpy.diff(starts[numpy.concatenate([[0], ends])])
        return Texts(self.ids[kept], lengths.astype(_LENGTH_TYPE), self.labels)

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Return the texts of all parts in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(numpy.concatenate(arrays) for arrays in zip(*parts, strict=True)))


@dataclass(frozen=True)
class _Block:
    """Where a block lies: in memory, or from `offset` in the file."""

    texts: int
    ids: int
    data: Texts | None = None
    offset: int = 0


class IdCache:
    """Texts as ids, added once in any order and read shard by shard. A context manager."""

    def __init__(  # noqa: PLR0913 - all but the first by name
        self,
        count: int,
        *,
        id_count: int,
        shard_texts: int,
        place: str,
        seed: int,
        memory_bytes: float = MEMORY_LIMIT_BYTES,
    ) -> None:
        """`count` texts will come, with ids below `id_count`; `place`: auto, memory or disk.

        "auto" is memory for up to `memory_bytes` of them.
        """
        self.count = count
        self.shards = max(1, -(-count // shard_texts))
        self.size = 0
        self._id_type = numpy.dtype(numpy.uint16 if id_count <= 2**16 else numpy.int32)
        self._place, self._memory_bytes = place, memory_bytes
        self._random = numpy.random.default_rng(seed)
        self._pending: dict[int, list[Texts]] = defaultdict(list)
        self._pending_size = 0
        self._blocks: list[list[_Block]] = [[] for _ in range(self.shards)]
        self._file: Any = None
        self._folder = Path(os.environ.get("TMPDIR") or _FALLBACK_FOLDER)
        if place == "disk":
            self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._blocks, self._pending = [], defaultdict(list)

    @property
    def id_type(self) -> numpy.dtype:
        """Of what type the ids are: the smallest that holds them all."""
        return self._id_type

    @property
    def is_on_disk(self) -> bool:
        """Whether the ids are in a file by now."""
        return self._file is not None

    def add(self, texts: Texts) -> None:
        """Deal `texts` to the shards. TrainError when the disk is full."""
        texts = Texts(
            texts.ids.astype(self._id_type),
            texts.lengths.astype(_LENGTH_TYPE),
            texts.labels.astype(_LABEL_TYPE),
        )
        shards = self._random.integers(self.shards, size=len(texts.lengths))
        order = numpy.argsort(shards, kind="stable")
        dealt, edge = texts.take(order), 0
        for shard, length in zip(*numpy.unique(shards, return_counts=True), strict=True):
            self._pending[int(shard)].append(dealt.cut(edge, edge + int(length)))
            edge += int(length)
        self._pending_size += texts.size
        self.size += texts.size
        if self._pending_size >= _PENDING_BYTES:
            self._make_blocks()

    def finish(self) -> None:
        """Say that all texts were added."""
        self._make_blocks()

    def read(self, shard: int) -> Texts:
        """Return the texts of a shard, in the order in which they were added."""
        parts = [self._load(block) for block in self._blocks[shard]]
        if not parts:
            empty = numpy.zeros(0, _LENGTH_TYPE)
            return Texts(empty.astype(self._id_type), empty, empty)
        return Texts.join(parts)

    def epoch(self) -> Iterator[Texts]:
        """Stream all texts, a shard at a time, always in the same order."""
        return map(self.read, range(self.shards))

    def batches(self, size: int, seed: int | None) -> Iterator[Texts]:
        """Stream all texts, `size` at a time, mixed by `seed`; as they lie when it is None."""
        random = None if seed is None else numpy.random.default_rng(seed)
        parts, held = [], 0
        for shard in range(self.shards) if random is None else random.permutation(self.shards):
            texts = self.read(shard)
            count = len(texts.lengths)
            order = numpy.arange(count) if random is None else random.permutation(count)
            at = 0
            while at < count:
                parts.append(texts.take(order[at : at + size - held]))
                at += size - held
                held += len(parts[-1].lengths)
                if held == size:
                    yield Texts.join(parts)
                    parts, held = [], 0
        if parts:
            yield Texts.join(parts)

    def _make_blocks(self) -> None:
        for shard, parts in sorted(self._pending.items()):
            texts = Texts.join(parts)
            self._blocks[shard].append(self._store(texts))
        self._pending.clear()
        self._pending_size = 0
        if self._place == "auto" and self._file is None and self.size > self._memory_bytes:
            self._open()
            for blocks in self._blocks:
                blocks[:] = [self._store(block.data) for block in blocks]

    def _store(self, texts: Texts) -> _Block:
        counts = len(texts.lengths), len(texts.ids)
        if self._file is None:
            return _Block(*counts, data=texts)
        offset = self._file.tell()
        try:
            for array in texts.lengths, texts.labels, texts.ids:
                self._write(array.tobytes())
        except OSError as error:
            raise self._failed(error, offset) from error
        return _Block(*counts, offset=offset)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:  # unbuffered, so that no rest is left to fail again when the file is closed
            rest = rest[self._file.write(rest) :]

    def _load(self, block: _Block) -> Texts:
        if block.data is not None:
            return block.data
        sizes = [
            block.texts * _LENGTH_TYPE.itemsize,
            block.texts * _LABEL_TYPE.itemsize,
            block.ids * self._id_type.itemsize,
        ]
        data = os.pread(self._file.fileno(), sum(sizes), block.offset)
        if len(data) != sum(sizes):
            raise TrainError(f"{self._folder}: the cached ids cannot be read back")
        lengths = numpy.frombuffer(data, _LENGTH_TYPE, block.texts)
        labels = numpy.frombuffer(data, _LABEL_TYPE, block.texts, sizes[0])
        ids = numpy.frombuffer(data, self._id_type, block.ids, sizes[0] + sizes[1])
        return Texts(ids, lengths, labels)

    def _open(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - __exit__ closes it
                dir=self._folder, buffering=0
            )
        except OSError as error:
            raise self._failed(error, 0) from error

    def _failed(self, error: OSError, written: int) -> TrainError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else f"cannot be written: {error.strerror}"
        return TrainError(
            f"{self._folder}: {what} after {written / 1e6:.0f} MB of cached ids; "
            "free space, set TMPDIR to a folder on a larger disk, or use --cache none"
        )
