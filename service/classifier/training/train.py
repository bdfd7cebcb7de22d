"""Fit the network to the texts, reproducibly, and stop when it no longer gets better."""

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy
import tensorflow as tf

from classifier.bundle import SPECIAL_IDS
from classifier.training import linear, model, own
from classifier.training.cache import IdCache, Texts
from classifier.training.corpus import Corpus
from classifier.training.data import batches, fill, streamed_batches, tokenise
from classifier.training.errors import DataError, TrainError
from classifier.training.progress import LinearProgress, Progress
from classifier.training.settings import MEMORY_LIMIT_BYTES, Settings
from classifier.training.splits import Split
from classifier.training.vectorize import Vocabulary, find_vocabulary

_STEPS = 128
# Of more texts every n-th is counted: which words are frequent shows long before.
_MOST_COUNTED = 250_000
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 256


@dataclass(frozen=True)
class Trained:
    """A fitted network with the vocabulary its ids refer to.

    `measured` has seen the texts for training only, and is what those for validation and for the
    test are measured with; `network` is the one to deliver, fitted to all texts unless told not to.
    """

    network: keras.Model
    measured: keras.Model
    vocabulary: Vocabulary
    measured_words: tuple[str, ...]  # the single words that `measured` knows
    epochs: int
    validation_loss: float
    history: list[dict[str, float]]  # of each epoch: loss and accuracy, in training and validation


def train(corpus: Corpus, settings: Settings, own_model: own.OwnModel | None = None) -> Trained:
    """Return the network fitted to the texts for training, with validation saying when to stop.

    `own_model` takes the place of the default network. The same texts and settings give the same
    network, bit for bit. Raises TrainError, and DataError when the texts change meanwhile.
    """
    keras.backend.clear_session()
    keras.config.disable_interactive_logging()  # what Keras says would be amid the data on stdout
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    try:
        with contextlib.ExitStack() as stack:
            if own_model:
                return _train_own(corpus, settings, own_model, stack)
            return _train_default(corpus, settings, stack)
    except tf.errors.OpError as error:
        raise _told(corpus.training, error) from error


def _told(training: Split, error: tf.errors.OpError) -> Exception:
    """What a reader of the data had to say comes out of TensorFlow amid lines of its own."""
    lines = str(error.message).strip().splitlines()
    for line in lines:
        for kind in (DataError, TrainError):
            _, found, cause = line.partition(f"{kind.__name__}: ")
            if found:
                return kind(cause)
    return TrainError(f"{training.source.path}: TensorFlow stopped: {lines[-1].strip()}")


def _train_own(
    corpus: Corpus, settings: Settings, own_model: own.OwnModel, stack: contextlib.ExitStack
) -> Trained:
    labels = corpus.training.scan.labels
    texts = _texts([corpus.training])
    vocabulary = find_vocabulary(texts, settings, settings.max_tokens, kind="sequence")
    training, validation = _hold([corpus.training, corpus.validation], vocabulary, settings, stack)
    network = own.build(
        own_model, vocabulary_size=vocabulary.id_count, labels=labels, settings=settings
    )
    size = batch_size(corpus.training.count, settings)
    fitted = _fit(
        network, training.batches(size, settings.seed), validation.batches(size), settings
    )
    return Trained(network, network, vocabulary, vocabulary.words, *fitted)


def _train_default(corpus: Corpus, settings: Settings, stack: contextlib.ExitStack) -> Trained:
    label_count = len(corpus.training.scan.labels)
    fitted_to = delivered_splits(corpus, settings)
    most = model.most_tokens(settings, label_count)
    vocabulary = find_vocabulary(_texts(fitted_to), settings, most)
    splits = list({id(each): each for each in (*fitted_to, corpus.validation)}.values())
    ids = _hold(splits, vocabulary, settings, stack)
    held = {split.part: each for split, each in zip(splits, ids, strict=True)}
    training, validation = held[corpus.training.part], held[corpus.validation.part]

    weighting, label_counts = _weigh(training.epoch, vocabulary, label_count, settings)
    known = weighting.occurs[SPECIAL_IDS : SPECIAL_IDS + vocabulary.tokenizer.words]
    words_known = tuple(itertools.compress(vocabulary.words, known))
    end = SPECIAL_IDS + vocabulary.tokenizer.words
    network = model.build_words(weighting, end, label_counts, settings)
    size = batch_size(corpus.training.count, settings)
    epochs, loss, history = _fit(
        network,
        training.batches(size, settings.seed, below=end),
        validation.batches(size, below=end),
        settings,
    )
    words = model.Words.of(network)
    found = linear.fit(training.epoch, weighting, label_counts, settings, told=LinearProgress())
    measured = final = model.combine(found, words, weighting, settings)
    if len(fitted_to) > 1:
        parts = [held[split.part] for split in fitted_to]

        def epoch() -> Iterator[Texts]:
            return itertools.chain.from_iterable(part.epoch() for part in parts)

        weighting, label_counts = _weigh(epoch, vocabulary, label_count, settings)
        found = linear.fit(
            epoch, weighting, label_counts, settings, told=LinearProgress(), near=found
        )
        final = model.combine(found, words, weighting, settings)
    return Trained(final, measured, vocabulary, words_known, epochs, loss, history)


def delivered_splits(corpus: Corpus, settings: Settings) -> list[Split]:
    """Return what the delivered model is fitted to: never a test split that was given."""
    if settings.refit == "none":
        return [corpus.training]
    taken_out = [] if corpus.digests["test_digest"] else [corpus.test]
    return [corpus.training, corpus.validation, *taken_out]


def _weigh(
    epoch: linear.Epoch, vocabulary: Vocabulary, label_count: int, settings: Settings
) -> tuple[linear.Weighting, numpy.ndarray]:
    documents, labels = linear.count_documents(epoch, vocabulary.id_count, label_count)
    weighting = linear.weigh(vocabulary, documents, int(labels.sum()), settings.piece_weight)
    return weighting, labels


def _texts(splits: Sequence[Split]) -> Iterator[str]:
    """Stream the texts that the vocabulary is chosen by."""
    every = math.ceil(sum(split.count for split in splits) / _MOST_COUNTED)
    return (text.decode() for split in splits for text, _ in split.texts(every))


def _hold(
    splits: list[Split], vocabulary: Vocabulary, settings: Settings, stack: contextlib.ExitStack
) -> list["_Ids"]:
    """Return the ids of each split; what may be kept in memory holds for all of them together."""
    count = sum(split.count for split in splits)
    return [_Ids(each, vocabulary, settings, stack, each.count / count) for each in splits]


class _Ids:
    """The ids of a split: kept, or made anew in each epoch when nothing is to be kept."""

    def __init__(
        self,
        split: Split,
        vocabulary: Vocabulary,
        settings: Settings,
        stack: contextlib.ExitStack,
        share: float,
    ) -> None:
        """`share` is the part of all texts that this split holds."""
        self._split, self._settings = split, settings
        self._tokenizer = vocabulary.make_tokenizer()
        self._cache = None
        if settings.cache != "none":
            cache = IdCache(
                split.count,
                id_count=vocabulary.id_count,
                shard_texts=settings.shuffle_buffer,
                place=settings.cache,
                seed=settings.seed,
                memory_bytes=MEMORY_LIMIT_BYTES * share,
            )
            self._cache = fill(stack.enter_context(cache), split, self._tokenizer)

    def epoch(self) -> Iterator[Texts]:
        """Stream all texts in one order."""
        return self._cache.epoch() if self._cache else tokenise(self._split, self._tokenizer)

    def batches(
        self, size: int, seed: int | None = None, below: int | None = None
    ) -> tf.data.Dataset:
        """Give batches for Keras, mixed by `seed`, of the ids below `below`."""
        if self._cache:
            return batches(self._cache, size, seed, below)
        return streamed_batches(
            self._split,
            self._tokenizer,
            batch_size=size,
            shuffle_texts=self._settings.shuffle_buffer,
            shuffle_seed=seed,
            below=below,
        )


def batch_size(count: int, settings: Settings) -> int:
    """Return how many texts make a step: as asked, or so that `count` texts take about 128 steps.

    Few texts then get enough steps to learn from, and many do not take all day.
    """
    if settings.batch_size:
        return settings.batch_size
    return min(_LARGEST_BATCH, max(_SMALLEST_BATCH, 2 ** round(math.log2(count / _STEPS))))


def _fit(
    network: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    settings: Settings,
) -> tuple[int, float, list[dict[str, float]]]:
    """Fit in place; return the best epoch, its validation loss, and the history."""
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
            f"the loss is no longer a number in epoch {len(history['loss'])}; "
            f"lower --learning-rate (it is {settings.learning_rate:g})"
        )
    return int(numpy.argmin(losses)) + 1, float(min(losses)), _epochs(history)


def _epochs(history: dict[str, list[float]]) -> list[dict[str, float]]:
    names = {
        "loss": "plain_loss",
        "accuracy": "accuracy",
        "validation_loss": "val_plain_loss",
        "validation_accuracy": "val_accuracy",
    }
    columns = zip(*(history[name] for name in names.values()), strict=True)
    return [dict(zip(names, map(float, values), strict=True)) for values in columns]
