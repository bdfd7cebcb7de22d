"""Fit the network to the texts, reproducibly, and stop when it no longer gets better."""

import math
import sys
import time
from dataclasses import dataclass

import keras
import numpy
import tensorflow as tf

from classifier.training import model, vectorize
from classifier.training.data import id_dataset, text_dataset
from classifier.training.errors import TrainError
from classifier.training.settings import Settings
from classifier.training.sources import Scan, Source
from classifier.training.splits import TEST, TRAIN, VALIDATION

_STEPS = 128
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 256


@dataclass(frozen=True)
class Trained:
    """A fitted network with the vocabulary its ids refer to."""

    network: keras.Model
    vocabulary: tuple[str, ...]
    epochs: int
    validation_loss: float


def train(source: Source, scan: Scan, parts: numpy.ndarray, settings: Settings) -> Trained:
    """Return the network fitted to the TRAIN part, as it was when VALIDATION went best.

    The same source, parts and settings give the same network, bit for bit. Raises TrainError.
    """
    try:
        return _train(source, scan, parts, settings)
    except tf.errors.OpError as error:
        cause = str(error.message).strip().splitlines()[-1]
        raise TrainError(f"{source.path}: TensorFlow stopped: {cause}") from error


def _train(source: Source, scan: Scan, parts: numpy.ndarray, settings: Settings) -> Trained:
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    texts = text_dataset(source, scan, parts, TRAIN)
    most = model.most_tokens(settings, len(scan.labels))
    vocabulary = vectorize.adapt(texts, settings, most)
    layer = vectorize.build(vocabulary, settings.ngrams)
    counts = numpy.bincount(parts[parts >= 0], minlength=TEST + 1)
    batching = {
        "max_length": settings.max_length,
        "batch_size": batch_size(int(counts[TRAIN]), settings),
    }
    training = id_dataset(texts, layer, count=counts[TRAIN], shuffle_seed=settings.seed, **batching)
    validation = id_dataset(
        text_dataset(source, scan, parts, VALIDATION), layer, count=counts[VALIDATION], **batching
    )
    network = model.build(_statistics(training, len(vocabulary), len(scan.labels)), settings)
    return _fit(network, training, validation, vocabulary, settings)


def batch_size(count: int, settings: Settings) -> int:
    """Return how many texts make a step: as asked, or so that `count` texts take about 128 steps.

    Few texts then get enough steps to learn from, and many do not take all day.
    """
    if settings.batch_size:
        return settings.batch_size
    return min(_LARGEST_BATCH, max(_SMALLEST_BATCH, 2 ** round(math.log2(count / _STEPS))))


def _statistics(batches: tf.data.Dataset, token_count: int, label_count: int) -> model.Statistics:
    documents = numpy.zeros(token_count + vectorize.SPECIAL_IDS, numpy.int64)
    labels = numpy.zeros(label_count, numpy.int64)
    for ids, places in batches.as_numpy_iterator():
        labels += numpy.bincount(places, minlength=label_count)
        for row in ids:
            documents[numpy.unique(row)] += 1
    return model.Statistics(documents, labels)


def _fit(
    network: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    vocabulary: tuple[str, ...],
    settings: Settings,
) -> Trained:
    # The plain loss, without what L2 adds: that part falls or grows for reasons of its own.
    plain_loss = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="plain_loss")
    network.compile(
        optimizer=keras.optimizers.Adam(
            learning_rate=settings.learning_rate,
            beta_1=settings.beta_1,
            beta_2=settings.beta_2,
            epsilon=settings.epsilon,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy", plain_loss],
    )
    stop = keras.callbacks.EarlyStopping(
        "val_plain_loss", mode="min", patience=settings.patience, restore_best_weights=True
    )
    history = network.fit(
        training,
        validation_data=validation,
        epochs=settings.epochs,
        shuffle=False,  # the dataset is
        callbacks=[stop, keras.callbacks.TerminateOnNaN(), _Progress(settings.epochs)],
        verbose=0,
    ).history
    losses = history.get("val_plain_loss", [])
    if not losses or not numpy.isfinite([*losses, *history["loss"]]).all():
        raise TrainError(
            f"the loss is no longer a number after {len(history['loss'])} epochs; "
            f"lower --learning-rate (it is {settings.learning_rate:g})"
        )
    return Trained(network, vocabulary, int(numpy.argmin(losses)) + 1, float(min(losses)))


class _Progress(keras.callbacks.Callback):
    """One line an epoch, on stderr."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002 - Keras
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        if "val_plain_loss" not in logs:
            return  # ended by a loss that is no number
        print(
            f"epoch {epoch + 1:2}/{self._epochs}  loss {logs['plain_loss']:.4f}  "
            f"validation loss {logs['val_plain_loss']:.4f}  "
            f"accuracy {logs['val_accuracy']:.4f}  {time.monotonic() - self._started:.1f} s",
            file=sys.stderr,
            flush=True,
        )
