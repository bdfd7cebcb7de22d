"""Files of lines that many processes append to and that never outgrow their limit."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LINES_BETWEEN_LOOKS = 100
_MODE = 0o640


class BoundedLog:
    """Lines in `path`; full, it becomes `path`.1, what was there `path`.2, and the last one goes.

    All files together hold `limit_bytes` and what `_LINES_BETWEEN_LOOKS` lines of each process
    take. Threads and processes may append at the same time: no line is torn, and none is lost.
    """

    def __init__(self, path: Path, limit_bytes: int, files: int = 4) -> None:
        """Take the place; the file is made by the first line. OSError from `append` says why not.

        So it may be made before a fork, and in a process that must not write.
        """
        self._path, self._files = path, files
        self._file_bytes = max(1, limit_bytes // files)
        self._file: int | None = None
        self._lines = 0  # since the last look; a miscount by threads does no harm

    def append(self, line: bytes) -> None:
        """Append `line`, which ends in its only line feed."""
        self._lines += 1
        if self._file is None or self._lines >= _LINES_BETWEEN_LOOKS:
            self._lines = 0
            self._look()
        os.write(self._file, line)

    def append_durably(self, line: bytes) -> None:
        """Append `line`, all of it or nothing, and return when it is on the disk."""
        with self._locked() as folder:
            self._turn_if_full()
            self._open()
            size = os.fstat(self._file).st_size
            try:
                written = os.write(self._file, line)
                if written != len(line):
                    raise OSError(28, "No space left on device", str(self._path))
                os.fsync(self._file)
                os.fsync(folder)
            except OSError:
                os.ftruncate(self._file, size)
                raise

    def _look(self) -> None:
        with self._locked():
            self._turn_if_full()
            self._open()

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the folder: only one process and thread at a time turns files there."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(folder)

    def _turn_if_full(self) -> None:
        try:
            if self._path.stat().st_size < self._file_bytes:
                return
        except FileNotFoundError:
            return
        names = [self._path, *(Path(f"{self._path}.{place}") for place in range(1, self._files))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)

    def _open(self) -> None:
        """Have the file open that is at the path now, whoever put it there."""
        if self._file is not None and _is_same(self._file, self._path):
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fresh = os.open(self._path, flags, _MODE)
        if self._file is None:
            self._file = fresh
        else:
            os.dup2(fresh, self._file)  # other threads may be writing: the number stays theirs
            os.close(fresh)


def _is_same(file: int, path: Path) -> bool:
    try:
        there, held = path.stat(), os.fstat(file)
    except FileNotFoundError:
        return False
    return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)
