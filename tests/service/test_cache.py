"""Ids kept between epochs: nothing lost, well mixed, and nothing left behind."""

import errno
import os
import tempfile

import numpy
import pytest
from classifier.training import cache
from classifier.training.cache import IdCache, Texts
from classifier.training.errors import TrainError


def texts_of(rows, first_label=0):
    return Texts(
        numpy.array([token for row in rows for token in row], numpy.int64),
        numpy.array([len(row) for row in rows], numpy.int64),
        numpy.arange(first_label, first_label + len(rows)),
    )


def filled(count=100, *, place="memory", shard_texts=1000, id_count=500, **options):
    kept = IdCache(
        count, id_count=id_count, shard_texts=shard_texts, place=place, seed=1, **options
    )
    for start in range(0, count, 10):
        rows = [[n] * (n % 4) for n in range(start, min(start + 10, count))]
        kept.add(texts_of(rows, start))
    kept.finish()
    return kept


def rows_of(batches):
    for batch in batches:
        ends = numpy.cumsum(batch.lengths)
        for end, length, label in zip(ends, batch.lengths, batch.labels, strict=True):
            yield int(label), batch.ids[end - length : end].tolist()


@pytest.mark.parametrize("place", ["memory", "disk", "auto"])
@pytest.mark.parametrize("shard_texts", [1000, 9])
@pytest.mark.parametrize("seed", [None, 1])
def test_each_text_comes_once_with_its_ids(place, shard_texts, seed):
    kept = filled(place=place, shard_texts=shard_texts)
    batches = list(kept.batches(7, seed))
    assert [len(batch.labels) for batch in batches] == [7] * 14 + [2]
    assert sorted(rows_of(batches)) == [(n, [n] * (n % 4)) for n in range(100)]


def test_without_a_seed_one_shard_keeps_the_order():
    assert [label for label, _ in rows_of(filled().batches(8, None))] == list(range(100))


def test_a_sorted_source_is_mixed_as_a_whole():
    """Also through shards that hold a twentieth of it."""
    order = [label for label, _ in rows_of(filled(4000, shard_texts=200).batches(50, 1))]
    means = numpy.array(order).reshape(-1, 200).mean(axis=1)
    assert abs(means - 2000).max() < 400  # 5 standard errors


@pytest.mark.parametrize("place", ["memory", "disk"])
@pytest.mark.parametrize("shard_texts", [1000, 9])
def test_an_epoch_is_all_texts_a_shard_at_a_time_always_in_one_order(place, shard_texts):
    kept = filled(place=place, shard_texts=shard_texts)
    first, second = (list(kept.epoch()) for _ in range(2))
    assert len(first) == kept.shards
    assert sorted(rows_of(first)) == [(n, [n] * (n % 4)) for n in range(100)]
    assert list(rows_of(first)) == list(rows_of(second))


@pytest.mark.parametrize("end", [0, 1, 3, 5, 9, 100])
def test_only_ids_below_a_limit_are_kept_and_every_text(end):
    rows = [[5, 1, 9], [], [3], [9, 9], [0, 1, 2, 3]]
    kept = texts_of(rows).keep_below(end)
    wanted = [[token for token in row if token < end] for row in rows]
    assert list(rows_of([kept])) == list(enumerate(wanted))
    assert kept.lengths.dtype == numpy.int32


def test_texts_without_ids_stay_texts():
    kept = texts_of([[], []]).keep_below(4)
    assert (kept.ids.tolist(), kept.lengths.tolist(), kept.labels.tolist()) == ([], [0, 0], [0, 1])


def test_small_vocabularies_take_two_bytes_an_id():
    assert filled(id_count=2**16).id_type == numpy.uint16
    assert filled(id_count=2**16 + 1).id_type == numpy.int32


def test_auto_moves_to_disk_when_memory_is_used_up(monkeypatch):
    assert not filled(place="auto").is_on_disk
    monkeypatch.setattr(cache, "_PENDING_BYTES", 200)
    moved = filled(place="auto", shard_texts=30, memory_bytes=500)
    assert moved.is_on_disk
    assert sorted(label for label, _ in rows_of(moved.batches(9, 1))) == list(range(100))
    assert not filled(place="memory").is_on_disk


def test_the_file_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with filled(place="disk") as kept:
        assert kept.is_on_disk
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    class Full:
        def tell(self):
            return 12_000_000

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(TrainError, match="the disk is full after 12 MB of cached ids; free space"):
        filled(place="disk")


def test_a_folder_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere")
    with pytest.raises(TrainError, match="/nowhere: cannot be written: No such file"):
        filled(place="disk")


def test_no_texts_are_no_batches():
    assert list(filled(0).batches(5, 1)) == []
