"""Texts to ids: the TextVectorization layer that serving's tokenizer must equal id for id."""

from collections.abc import Iterable

import keras
import tensorflow as tf

from classifier.bundle import SPECIAL_IDS, TokenizerSettings
from classifier.training.counting import TokenCounter, capacity_for
from classifier.training.errors import DataError
from classifier.training.settings import Settings

STANDARDIZE, SPLIT = "lower_and_strip_punctuation", "whitespace"


def find_vocabulary(
    texts: Iterable[bytes], settings: Settings, most_tokens: int
) -> tuple[str, ...]:
    """Return what TextVectorization.adapt would: the most frequent tokens of `texts` first.

    Unlike adapt, it does so in bounded memory, and tokens seen fewer than `settings.min_count`
    times are left out: as unknown words they teach the model what an unknown word means, which is
    what most new words in new texts will be.
    """
    most = most_tokens - SPECIAL_IDS
    counter = TokenCounter(settings.ngrams, capacity_for(most))
    for text in texts:
        counter.add(text)
    tokens = counter.most_common(most, settings.min_count)
    if not tokens:
        raise DataError(
            f"no word occurs {settings.min_count} times in the texts for training; "
            "give more texts, or lower --min-count"
        )
    return tuple(tokens)


def build(vocabulary: tuple[str, ...], ngrams: int) -> keras.layers.TextVectorization:
    """Return the layer for a vocabulary."""
    return keras.layers.TextVectorization(
        standardize=STANDARDIZE,
        split=SPLIT,
        ngrams=ngrams,
        ragged=True,
        vocabulary=list(vocabulary),
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
