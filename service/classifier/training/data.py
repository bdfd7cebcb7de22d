"""From a scanned source to batches of ids: tf.data, so that texts stream and never pile up.

source ── text_datasets ── tokenise ── fill, once: IdCache ── batches: mixed, padded, prefetched
                              └─────── streamed_batches: made anew in each epoch, nothing kept
"""

from collections.abc import Iterator

import keras
import numpy
import tensorflow as tf

from classifier.serving.tokenizer import Tokenizer
from classifier.training.cache import IdCache, Texts
from classifier.training.errors import DataError
from classifier.training.sources import clean
from classifier.training.splits import Split
from classifier.training.texts import LONGEST_RAW

READ_BATCH = 256  # texts cleaned and vectorised at a time


def text_datasets(split: Split) -> Iterator[tf.data.Dataset]:
    """Give the cleaned (texts, labels) of a split, READ_BATCH at a time, in the source's order.

    A table is one dataset; folders are one for each class, as each holds the names of its files.
    """
    if not split.source.is_folder:
        yield _table_dataset(split)
        return
    start = 0
    for name in split.source.labels:
        files = keras.utils.text_dataset_from_directory(
            split.source.path / name, labels=None, batch_size=None, shuffle=False, verbose=False
        )
        end = start + int(files.cardinality())
        yield _folder_dataset(split, name, files, start, end)
        start = end
    if start != len(split.parts):
        raise _changed(split)


def tokenise(split: Split, tokenizer: Tokenizer) -> Iterator[Texts]:
    """Stream a split as ids, READ_BATCH texts at a time, in the source's order."""
    for dataset in text_datasets(split):
        for texts, labels in dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
            rows = [tokenizer.encode(text.decode()) for text in texts]
            lengths = numpy.fromiter(map(len, rows), numpy.int32, len(rows))
            yield Texts(numpy.concatenate(rows), lengths, labels)


def fill(cache: IdCache, split: Split, tokenizer: Tokenizer) -> IdCache:
    """Put the ids of a split into `cache`: they are made once, however many epochs follow."""
    for texts in tokenise(split, tokenizer):
        cache.add(texts)
    cache.finish()
    return cache


def batches(
    cache: IdCache, batch_size: int, shuffle_seed: int | None = None, below: int | None = None
) -> tf.data.Dataset:
    """Give (ids int32 [batch, longest], labels [batch]) from a cache, mixed anew in each epoch.

    Only ids below `below` are given, where it is.
    """
    epochs = iter(range(2**31))

    def epoch() -> Iterator[Texts]:
        seed = None if shuffle_seed is None else (shuffle_seed, next(epochs))
        mixed = cache.batches(batch_size, seed)
        return mixed if below is None else (texts.keep_below(below) for texts in mixed)

    return (
        tf.data.Dataset.from_generator(
            epoch,
            output_signature=Texts(
                tf.TensorSpec([None], cache.id_type),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.int32),
            ),
        )
        .map(_pad)
        .apply(tf.data.experimental.assert_cardinality(-(-cache.count // batch_size)))
        .prefetch(tf.data.AUTOTUNE)
    )


def streamed_batches(  # noqa: PLR0913 - all but the first two by name
    split: Split,
    tokenizer: Tokenizer,
    *,
    batch_size: int,
    shuffle_texts: int = 0,
    shuffle_seed: int | None = None,
    below: int | None = None,
) -> tf.data.Dataset:
    """Give what `batches` gives, read and vectorised anew in each epoch, with nothing kept.

    Only `shuffle_texts` are mixed at a time: right for a source that is in no order already.
    """

    def rows() -> Iterator[tuple[numpy.ndarray, int]]:
        for texts in tokenise(split, tokenizer):
            kept = texts if below is None else texts.keep_below(below)
            ends = numpy.cumsum(kept.lengths)[:-1]
            yield from zip(numpy.split(kept.ids, ends), kept.labels, strict=True)

    dataset = tf.data.Dataset.from_generator(
        rows, output_signature=(tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32))
    )
    if shuffle_seed is not None:
        dataset = dataset.shuffle(shuffle_texts, seed=shuffle_seed)
    return (
        dataset.apply(tf.data.experimental.assert_cardinality(split.count))
        .padded_batch(batch_size, ([None], []))
        .prefetch(tf.data.AUTOTUNE)
    )


def _pad(texts: Texts) -> tuple[tf.Tensor, tf.Tensor]:
    ids = tf.cast(texts.ids, tf.int32)
    rows = tf.RaggedTensor.from_row_lengths(ids, texts.lengths, validate=False)
    return rows.to_tensor(), texts.labels


def _folder_dataset(
    split: Split, name: str, files: tf.data.Dataset, start: int, end: int
) -> tf.data.Dataset:
    # Places in this stream are places in the scan: both must have listed the same files.
    label = split.scan.labels.index(name)
    labels = numpy.asarray(split.scan.example_labels[start:end])
    if len(labels) != end - start or not numpy.isin(labels, (label, -1)).all():
        raise _changed(split)
    wanted = tf.constant(split.parts[start:end] == split.part)
    return (
        files.enumerate()
        .filter(lambda place, _: tf.gather(wanted, place))
        .map(lambda _, text: tf.strings.substr(text, 0, LONGEST_RAW + 1))
        .batch(READ_BATCH)
        .map(lambda texts: (_clean_batch(texts), tf.fill(tf.shape(texts), label)))
        .prefetch(tf.data.AUTOTUNE)
    )


def _table_dataset(split: Split) -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(
        lambda: split.batches(READ_BATCH),
        output_signature=(tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)),
    ).prefetch(tf.data.AUTOTUNE)


def _clean_batch(texts: tf.Tensor) -> tf.Tensor:
    cleaned = tf.numpy_function(
        lambda batch: numpy.array([clean(text) for text in batch], object), [texts], tf.string
    )
    return tf.ensure_shape(cleaned, [None])


def _changed(split: Split) -> DataError:
    return DataError(f"{split.source.path}: changed while it was being read; start again")
