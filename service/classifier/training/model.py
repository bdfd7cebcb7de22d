"""The network: how ids become a score for each label.

Two paths over the same bag of words and word pairs, each token weighted by how rare it is:

    wide   one weight per token and label, held small by L2: a linear classifier
    deep   one vector per token, averaged, then a dense layer: what similar words have in common

Padding has the weight 0, so answers do not depend on how much of it there is.
"""

from dataclasses import dataclass

import keras
import numpy
from keras import layers, ops

from classifier.training.settings import Settings

_FLOAT_BYTES = 4
_TOKEN_BYTES = 16  # what a token takes in the vocabulary, about
_TINY = 1e-6


@dataclass(frozen=True)
class Statistics:
    """What the texts for training tell before the first step.

    `document_counts`: for each id in how many texts it occurs; `label_counts`: texts per label.
    """

    document_counts: numpy.ndarray
    label_counts: numpy.ndarray


def most_tokens(settings: Settings, label_count: int) -> int:
    """Return how many ids fit both settings: the asked number and the size of the bundle."""
    token_bytes = _FLOAT_BYTES * (1 + label_count + settings.dimensions) + _TOKEN_BYTES
    return min(settings.max_tokens, int(settings.bundle_megabytes * 1e6 / token_bytes))


def build(statistics: Statistics, settings: Settings) -> keras.Model:
    """Return the uncompiled network: ids int32 [n, length] to logits float32 [n, labels]."""
    id_count, label_count = len(statistics.document_counts), len(statistics.label_counts)
    text_count = statistics.label_counts.sum()
    ids = keras.Input((None,), dtype="int32", name="ids")
    rarity = layers.Embedding(
        id_count, 1, weights=[_rarity(statistics)], trainable=False, name="rarity"
    )(ids)
    scale = ops.rsqrt(ops.sum(ops.square(rarity), axis=1) + _TINY)
    rarity = layers.Dropout(settings.token_dropout, name="token_dropout")(rarity)

    token_scores = layers.Embedding(
        id_count,
        label_count,
        embeddings_initializer="zeros",
        # strength is the C of a linear classifier: the loss is a mean, so the texts divide it
        embeddings_regularizer=keras.regularizers.L2(0.5 / (settings.strength * text_count)),
        name="token_scores",
    )(ids)
    wide = ops.sum(token_scores * rarity, axis=1) * scale

    vectors = layers.Embedding(id_count, settings.dimensions, name="vectors")(ids)
    average = ops.sum(vectors * rarity, axis=1) * scale
    average = layers.Dropout(settings.dropout, name="dropout")(average)
    labels = layers.Dense(label_count, name="labels")
    deep = labels(average)
    # Starting from how frequent each label is keeps rare labels from costing the first epochs.
    labels.bias.assign(numpy.log(statistics.label_counts / text_count))
    return keras.Model(ids, wide + deep, name="wide_and_deep")


def _rarity(statistics: Statistics) -> numpy.ndarray:
    """Inverse document frequency, smoothed, as a column; 0 for padding."""
    text_count = statistics.label_counts.sum()
    rarity = numpy.log((1 + text_count) / (1 + statistics.document_counts)) + 1
    rarity[0] = 0
    return rarity[:, None].astype(numpy.float32)
