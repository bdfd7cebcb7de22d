"""Fit the network to the texts, reproducibly, and stop when it no longer gets better."""

import contextlib
import math
from dataclasses import dataclass

import keras
import numpy
import tensorflow as tf

from classifier.training import model, own, vectorize
from classifier.training.cache import IdCache
from classifier.training.data import batches, streamed_batches, vectorise
from classifier.training.errors import DataError, TrainError
from classifier.training.progress import Progress
from classifier.training.settings import Settings
from classifier.training.splits import Split

_STEPS = 128
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 256


@dataclass(frozen=True)
class Trained:
    """A fitted network with the vocabulary its ids refer to."""

    network: keras.Model
    vocabulary: tuple[str, ...]
    epochs: int
    validation_loss: float
    history: list[dict[str, float]]  # of each epoch: loss and accuracy, in training and validation


def train(
    training: Split,
    validation: Split,
    settings: Settings,
    own_model: own.OwnModel | None = None,
) -> Trained:
    """Return the network fitted to `training`, as it was when `validation` went best.

    `own_model` takes the place of the default network. The same texts and settings give the same
    network, bit for bit. Raises TrainError, and DataError when the texts change meanwhile.
    """
    try:
        with contextlib.ExitStack() as stack:
            return _train(training, validation, settings, own_model, stack)
    except tf.errors.OpError as error:
        raise _told(training, error) from error


def _told(training: Split, error: tf.errors.OpError) -> Exception:
    """What a reader of the data had to say comes out of TensorFlow amid lines of its own."""
    lines = str(error.message).strip().splitlines()
    for line in lines:
        for kind in (DataError, TrainError):
            _, found, cause = line.partition(f"{kind.__name__}: ")
            if found:
                return kind(cause)
    return TrainError(f"{training.source.path}: TensorFlow stopped: {lines[-1].strip()}")


def _train(
    training: Split,
    validation: Split,
    settings: Settings,
    own_model: own.OwnModel | None,
    stack: contextlib.ExitStack,
) -> Trained:
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    labels = training.scan.labels
    most = model.most_tokens(settings, len(labels))
    texts = (text for text, _ in training.texts())
    vocabulary = vectorize.find_vocabulary(texts, settings, most)
    layer = vectorize.build(vocabulary, settings.ngrams)
    size = batch_size(training.count, settings)
    batched = [
        _batches(split, layer, settings, size=size, seed=seed, stack=stack)
        for split, seed in ((training, settings.seed), (validation, None))
    ]
    if own_model:
        network = own.build(
            own_model,
            vocabulary_size=len(vocabulary) + vectorize.SPECIAL_IDS,
            labels=labels,
            settings=settings,
        )
    else:
        network = model.build(_statistics(batched[0], len(vocabulary), len(labels)), settings)
    return _fit(network, *batched, vocabulary, settings)


def _batches(  # noqa: PLR0913 - all but the first three by name
    split: Split,
    layer: keras.layers.TextVectorization,
    settings: Settings,
    *,
    size: int,
    seed: int | None,
    stack: contextlib.ExitStack,
) -> tf.data.Dataset:
    """Vectorise once and batch what was kept, or each time when nothing is to be kept."""
    if settings.cache == "none":
        return streamed_batches(
            split,
            layer,
            most=settings.max_length,
            batch_size=size,
            shuffle_texts=settings.shuffle_buffer,
            shuffle_seed=seed,
        )
    cache = IdCache(
        split.count,
        id_count=layer.vocabulary_size(),
        shard_texts=settings.shuffle_buffer,
        place=settings.cache,
        seed=settings.seed,
    )
    vectorise(split, layer, stack.enter_context(cache), settings.max_length)
    return batches(cache, size, seed)


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
        rows = numpy.sort(ids, axis=1)
        is_first = numpy.diff(rows, axis=1, prepend=-1) != 0  # an id counts once for each text
        documents += numpy.bincount(rows[is_first], minlength=len(documents))
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
        callbacks=[stop, keras.callbacks.TerminateOnNaN(), Progress(settings.epochs)],
        verbose=0,
    ).history
    losses = history.get("val_plain_loss", [])
    if not losses or not numpy.isfinite([*losses, *history["loss"]]).all():
        raise TrainError(
            f"the loss is no longer a number after {len(history['loss'])} epochs; "
            f"lower --learning-rate (it is {settings.learning_rate:g})"
        )
    return Trained(
        network, vocabulary, int(numpy.argmin(losses)) + 1, float(min(losses)), _epochs(history)
    )


def _epochs(history: dict[str, list[float]]) -> list[dict[str, float]]:
    names = {
        "loss": "plain_loss",
        "accuracy": "accuracy",
        "validation_loss": "val_plain_loss",
        "validation_accuracy": "val_accuracy",
    }
    columns = zip(*(history[name] for name in names.values()), strict=True)
    return [dict(zip(names, map(float, values), strict=True)) for values in columns]
