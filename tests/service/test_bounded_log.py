import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from classifier.serving import bounded_log
from classifier.serving.bounded_log import BoundedLog

SERVICE_DIR = Path(__file__).parents[2] / "service"
WRITER = """
import sys
from pathlib import Path
from classifier.serving.bounded_log import BoundedLog
log = BoundedLog(Path(sys.argv[1]), 10**6)
append = getattr(log, sys.argv[3])
for number in range(2000):
    append(f"{sys.argv[2]}-{number:05} {'x' * 60}\\n".encode())
"""


def lines(path: Path) -> list[str]:
    return [
        line
        for file in sorted(path.parent.glob(f"{path.name}*"))
        for line in file.read_text().splitlines()
    ]


def test_nothing_is_made_before_the_first_line(tmp_path):
    BoundedLog(tmp_path / "log", 1000)
    assert list(tmp_path.iterdir()) == []


def test_only_owner_and_group_may_read_it(tmp_path):
    BoundedLog(tmp_path / "log", 1000).append(b"a\n")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("way", ["append", "append_durably"])
def test_it_stays_within_its_limit_and_keeps_the_newest(tmp_path, way):
    log = BoundedLog(tmp_path / "log", 40_000)
    for number in range(3_000):
        getattr(log, way)(f"{number:031}\n".encode())
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["log", "log.1", "log.2", "log.3"]
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size <= 40_000 + 4 * bounded_log._LINES_BETWEEN_LOOKS * 32
    kept = sorted(map(int, lines(tmp_path / "log")))
    assert kept == list(range(3_000 - len(kept), 3_000))


@pytest.mark.parametrize("way", ["append", "append_durably"])
def test_processes_share_it_and_lose_no_line_while_it_turns(tmp_path, way):
    path = tmp_path / "log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, way], cwd=SERVICE_DIR)
        for name in "abc"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = lines(path)
    assert (tmp_path / "log.1").exists()
    assert sorted(line.split()[0] for line in found) == sorted(
        f"{name}-{number:05}" for name in "abc" for number in range(2000)
    )
    assert {len(line) for line in found} == {68}


def test_threads_share_it(tmp_path):
    log = BoundedLog(tmp_path / "log", 10**6)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.append(f"{number:05}\n".encode()), range(5_000)))
    assert sorted(map(int, lines(tmp_path / "log"))) == list(range(5_000))


def test_a_file_that_was_taken_away_is_made_again(tmp_path):
    log = BoundedLog(tmp_path / "log", 10**6)
    log.append_durably(b"a\n")
    (tmp_path / "log").unlink()
    log.append_durably(b"b\n")
    assert lines(tmp_path / "log") == ["b"]


def test_a_durable_line_is_on_the_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink())
    )
    BoundedLog(tmp_path / "log", 1000).append_durably(b"a\n")
    assert synced == [tmp_path / "log", tmp_path]


def test_of_a_durable_line_that_does_not_fit_nothing_stays(tmp_path, monkeypatch):
    log = BoundedLog(tmp_path / "log", 1000)
    log.append_durably(b"first\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match="No space left") as caught:
        log.append_durably(b"second\n")
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    log.append_durably(b"third\n")
    assert lines(tmp_path / "log") == ["first", "third"]


@pytest.mark.parametrize("way", ["append", "append_durably"])
def test_a_folder_that_is_not_there_is_an_error(tmp_path, way):
    with pytest.raises(OSError, match="nowhere"):
        getattr(BoundedLog(tmp_path / "nowhere/log", 1000), way)(b"a\n")
