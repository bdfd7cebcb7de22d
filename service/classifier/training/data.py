"""From a scanned source to batches of ids: tf.data, so that texts stream and never pile up."""

import keras
import numpy
import tensorflow as tf

from classifier.training.errors import DataError
from classifier.training.sources import Scan, Source, clean
from classifier.training.vectorize import to_ids

READ_BATCH = 256  # texts cleaned and vectorised at a time


def text_dataset(source: Source, scan: Scan, parts: numpy.ndarray, part: int) -> tf.data.Dataset:
    """Stream the cleaned (text, label) pairs of one part, in the order of the source."""
    labels = numpy.asarray(scan.example_labels)
    raw = _folder_dataset(source, scan) if source.is_folder else _table_dataset(source)
    chosen = raw.enumerate().filter(lambda place, _: tf.gather(parts, place) == part)
    return (
        chosen.map(lambda place, text: (text, tf.gather(labels, place)))
        .batch(READ_BATCH)
        .map(lambda texts, places: (_clean_batch(texts), places))
        .prefetch(tf.data.AUTOTUNE)
    )


def id_dataset(  # noqa: PLR0913 - all but the first two by name
    texts: tf.data.Dataset,
    layer: keras.layers.TextVectorization,
    *,
    count: int,
    max_length: int,
    batch_size: int,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Vectorise a dataset of `count` texts once, then batch it, anew for each epoch.

    Gives (ids int32 [batch, longest], labels [batch]). The cache holds ids, 4 bytes each, no texts.
    """
    dataset = (
        texts.map(lambda batch, labels: (to_ids(layer, batch, max_length), labels))
        .unbatch()
        .map(lambda ids, label: (ids, label))  # a row of a ragged batch is a plain tensor here
        .apply(tf.data.experimental.assert_cardinality(count))
        .cache()
    )
    if shuffle_seed is not None:  # all of it: class folders come one class after the other
        dataset = dataset.shuffle(count, seed=shuffle_seed)
    return dataset.padded_batch(batch_size, ([None], [])).prefetch(tf.data.AUTOTUNE)


def _folder_dataset(source: Source, scan: Scan) -> tf.data.Dataset:
    dataset = keras.utils.text_dataset_from_directory(
        source.path, batch_size=None, shuffle=False, verbose=False
    )
    # Places in this stream are places in the scan: both must have listed the same files.
    if (
        tuple(dataset.class_names) != scan.labels
        or len(scan.example_labels) != dataset.cardinality()
    ):
        raise DataError(f"{source.path}: changed while it was being read; start again")
    return dataset.map(lambda text, _: text, num_parallel_calls=tf.data.AUTOTUNE)


def _table_dataset(source: Source) -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(
        lambda: (raw for _, raw, _ in source.read()),
        output_signature=tf.TensorSpec([], tf.string),
    )


def _clean_batch(texts: tf.Tensor) -> tf.Tensor:
    cleaned = tf.numpy_function(
        lambda batch: numpy.array([clean(text) for text in batch], object), [texts], tf.string
    )
    return tf.ensure_shape(cleaned, [None])
