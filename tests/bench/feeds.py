"""One way of feeding a model, in a process of its own: `feeds.py NAME DATA EPOCHS`, JSON out.

All ways feed the same small model, a linear one over words, pairs and pieces of words, with the
same texts, vocabulary and batches. They differ in what happens between the text and the batch:

    naive        one text at a time is made into ids, anew in each epoch
    batched      256 texts at a time are, anew in each epoch; no cache, no prefetch
    cached       that, then tf.data's cache and prefetch: one tensor a text
    vectorised   what training does: made once into arrays, cut into batches
"""

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # as in training

import keras
import numpy
import tensorflow as tf
from classifier.serving.tokenizer import Tokenizer
from classifier.training.cache import IdCache
from classifier.training.corpus import Corpus, find_places, read_corpus
from classifier.training.data import batches, fill, text_datasets
from classifier.training.settings import Settings
from classifier.training.splits import Split
from classifier.training.vectorize import Vocabulary, find_vocabulary

BATCH = 128
SETTINGS = Settings()


def _texts(split: Split) -> tf.data.Dataset:
    first, *rest = text_datasets(split)
    for texts in rest:
        first = first.concatenate(texts)
    return first


def _mixed(rows: tf.data.Dataset, split: Split) -> tf.data.Dataset:
    rows = rows.apply(tf.data.experimental.assert_cardinality(split.count))
    return rows.shuffle(SETTINGS.shuffle_buffer, seed=1).padded_batch(BATCH, ([None], []))


def _encode(texts: numpy.ndarray, tokenizer: Tokenizer) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the ids of all `texts`, one after the other, and how many each text has."""
    rows = [tokenizer.encode(text.decode()) for text in texts]
    return numpy.concatenate(rows), numpy.array([len(row) for row in rows], numpy.int32)


def _batched_rows(split: Split, vocabulary: Vocabulary) -> tf.data.Dataset:
    encode = functools.partial(_encode, tokenizer=vocabulary.make_tokenizer())

    def many(texts: tf.Tensor, labels: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        ids, lengths = tf.numpy_function(encode, [texts], (tf.int32, tf.int32))
        flat, lengths = tf.ensure_shape(ids, [None]), tf.ensure_shape(lengths, [None])
        return tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False), labels

    return _texts(split).map(many).unbatch().map(lambda row, label: (row, label))


def naive(split: Split, vocabulary: Vocabulary) -> tf.data.Dataset:
    tokenizer = vocabulary.make_tokenizer()

    def one(text: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ids = tf.numpy_function(lambda raw: tokenizer.encode(raw.decode()), [text], tf.int32)
        return tf.ensure_shape(ids, [None]), label

    return _mixed(_texts(split).unbatch().map(one), split)


def batched(split: Split, vocabulary: Vocabulary) -> tf.data.Dataset:
    return _mixed(_batched_rows(split, vocabulary), split)


def cached(split: Split, vocabulary: Vocabulary) -> tf.data.Dataset:
    return _mixed(_batched_rows(split, vocabulary).cache(), split).prefetch(tf.data.AUTOTUNE)


def vectorised(split: Split, vocabulary: Vocabulary) -> tf.data.Dataset:
    cache = IdCache(
        split.count,
        id_count=vocabulary.id_count,
        shard_texts=SETTINGS.shuffle_buffer,
        place="auto",
        seed=1,
    )
    return batches(fill(cache, split, vocabulary.make_tokenizer()), BATCH, 1)


FEEDS = {feed.__name__: feed for feed in (naive, batched, cached, vectorised)}


def main(name: str, data: str, epochs: str) -> None:
    times = {}
    with _timed(times, "whole"):
        with _timed(times, "read"):
            corpus = read_corpus(find_places(Path(data)), SETTINGS)
        with _timed(times, "count"):
            texts = (text.decode() for text, _ in corpus.training.texts())
            vocabulary = find_vocabulary(texts, SETTINGS, SETTINGS.max_tokens)
        with _timed(times, "first"):  # what is done once belongs to the first epoch
            feed = FEEDS[name](corpus.training, vocabulary)
            _drain(feed)
        with _timed(times, "later"):
            _drain(feed)
        accuracy = _fit(corpus, vocabulary, feed, int(epochs))
    count, draining = corpus.training.count, times["later"]
    if name in ("naive", "batched"):  # nothing that was done for the first figure is kept
        draining += times["first"]
    result = {
        "texts": count,
        "first_epoch_texts_per_second": count / times["first"],
        "later_epoch_texts_per_second": count / times["later"],
        "accuracy": accuracy,
        "job_seconds": times["whole"] - draining,
    }
    print(json.dumps(result))


def _fit(corpus: Corpus, vocabulary: Vocabulary, feed: tf.data.Dataset, epochs: int) -> float:
    ids = keras.Input((None,), dtype="int32")
    scores = keras.layers.Embedding(
        vocabulary.id_count, len(corpus.training.scan.labels), embeddings_initializer="zeros"
    )(ids)
    known = keras.ops.cast(keras.ops.not_equal(ids, 0), "float32")[..., None]
    network = keras.Model(ids, keras.ops.sum(scores * known, axis=1))
    network.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(feed, epochs=epochs, shuffle=False, verbose=0)
    held_out = batched(corpus.test, vocabulary)
    return float(network.evaluate(held_out, verbose=0, return_dict=True)["accuracy"])


def _drain(dataset: tf.data.Dataset) -> None:
    for _ in dataset:
        pass


@contextlib.contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    times[name] = time.monotonic() - started


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    main(*sys.argv[1:])
