"""Texts to ids: the TextVectorization layer that serving's tokenizer must equal id for id."""

import keras
import numpy
import tensorflow as tf

from classifier.bundle import SPECIAL_IDS, TokenizerSettings
from classifier.training.errors import DataError
from classifier.training.settings import Settings

STANDARDIZE, SPLIT = "lower_and_strip_punctuation", "whitespace"


def adapt(texts: tf.data.Dataset, settings: Settings, most_tokens: int) -> tuple[str, ...]:
    """Return the vocabulary of a (text, label) dataset: the most frequent tokens first.

    Tokens seen fewer than `settings.min_count` times are left out: as unknown words they teach
    the model what an unknown word means, which is what most new words in new texts will be.
    """
    layer = build((), settings.ngrams, most_tokens)
    only_texts = texts.map(lambda batch, _: batch)
    layer.adapt(only_texts)
    tokens = [str(token) for token in layer.get_vocabulary(include_special_tokens=False)]
    counts = numpy.zeros(len(tokens) + SPECIAL_IDS, numpy.int64)
    for batch in only_texts if tokens else ():
        counts += numpy.bincount(layer(batch).flat_values, minlength=len(counts))
    frequent = int((counts[SPECIAL_IDS:] >= settings.min_count).sum())
    if not frequent:
        raise DataError(
            f"no word occurs {settings.min_count} times in the texts for training; "
            "give more texts, or lower --min-count"
        )
    return tuple(tokens[:frequent])  # adapt sorts by count: the frequent ones come first


def build(
    vocabulary: tuple[str, ...], ngrams: int, max_tokens: int | None = None
) -> keras.layers.TextVectorization:
    """Return the layer for a vocabulary, or for adapting when that is empty."""
    return keras.layers.TextVectorization(
        max_tokens=max_tokens,
        standardize=STANDARDIZE,
        split=SPLIT,
        ngrams=ngrams,
        ragged=True,
        vocabulary=list(vocabulary) or None,
    )


def to_ids(
    layer: keras.layers.TextVectorization, texts: tf.Tensor, max_length: int
) -> tf.RaggedTensor:
    """Return int32 ids, one row a text, cut as output_sequence_length would cut them."""
    return tf.cast(layer(texts)[:, :max_length], tf.int32)


def tokenizer_settings(vocabulary: tuple[str, ...], settings: Settings) -> TokenizerSettings:
    """Return what serving must know to tokenize alike."""
    return TokenizerSettings(
        standardize=STANDARDIZE,
        split=SPLIT,
        ngrams=settings.ngrams,
        max_tokens=len(vocabulary) + SPECIAL_IDS,
        max_length=settings.max_length,
    )
