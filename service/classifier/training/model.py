"""The network: how ids become a score for each label.

Two parts over the same bag of ids, each a sum over the ids divided by the length of the text's
vector, so that an answer can be told apart into what each id adds to it:

    linear   one number per id and label, found exactly: see `linear`
    words    one vector per word, averaged, then a dense layer, learned with Adam: what words that
             are used alike have in common

Padding adds 0 to everything, so answers do not depend on how much of it there is.
"""

from dataclasses import dataclass

import keras
import numpy
import tensorflow as tf
from keras import layers, ops

from classifier.training.linear import Linear, Weighting
from classifier.training.settings import Settings

TERMS_LAYER, VECTORS_LAYER = "terms", "vectors"
# A margin of 1 in the linear part is this much of a logit: temperatures are then near 1.
MARGIN_LOGITS = 3.0
_TOKEN_BYTES = 16  # what a token takes in the vocabulary, about
_SCALE_BYTES = 8
_FLOAT_BYTES = 4
_TINY = 1e-6
_MOST_STEPS = 127  # of a score in 8 bits
_FEW_LABELS = 16  # up to so many, a score keeps its 32 bits


def most_tokens(settings: Settings, label_count: int) -> int:
    """Return how many ids fit both settings: the asked numbers and the size of the bundle."""
    vector_bytes = _FLOAT_BYTES * settings.dimensions / 2  # about half of the ids are words
    score_bytes = label_count * (_FLOAT_BYTES if label_count <= _FEW_LABELS else 1)
    token_bytes = score_bytes + _SCALE_BYTES + _TOKEN_BYTES + vector_bytes
    fitting = int(settings.bundle_megabytes * 1e6 / token_bytes)
    return min(settings.max_tokens + settings.max_pieces, fitting)


def build_words(
    weighting: Weighting, words_end: int, label_counts: numpy.ndarray, settings: Settings
) -> keras.Model:
    """Return the uncompiled part with a vector per word: ids below `words_end` to logits."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    rarity = numpy.sqrt(weighting.squares[:words_end, None])
    weights = layers.Embedding(words_end, 1, weights=[rarity], trainable=False, name="rarity")(ids)
    scale = ops.rsqrt(ops.sum(ops.square(weights), axis=1) + _TINY)
    weights = layers.Dropout(settings.token_dropout, name="token_dropout")(weights)
    vectors = layers.Embedding(words_end, settings.dimensions, name=VECTORS_LAYER)(ids)
    average = ops.sum(vectors * weights, axis=1) * scale
    average = layers.Dropout(settings.dropout, name="dropout")(average)
    labels = layers.Dense(len(label_counts), name="labels")
    logits = labels(average)
    # Starting from how frequent each label is keeps rare labels from costing the first epochs.
    labels.bias.assign(numpy.log(label_counts / label_counts.sum()))
    return keras.Model(ids, logits, name="words")


@dataclass(frozen=True)
class Words:
    """The fitted part with a vector per word, as numbers: [words_end, d], [d, labels], [labels]."""

    vectors: numpy.ndarray
    labels: numpy.ndarray
    bias: numpy.ndarray

    @classmethod
    def of(cls, network: keras.Model) -> "Words":
        """Take the numbers out of what `build_words` made."""
        vectors = network.get_layer(VECTORS_LAYER).get_weights()[0]
        return cls(vectors, *network.get_layer("labels").get_weights())


def combine(linear: Linear, words: Words, weighting: Weighting, settings: Settings) -> keras.Model:
    """Return the whole network, ids int32 [n, length] to logits float32 [n, labels]."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    terms = Terms(linear, words, weighting, settings.vector_weight, name=TERMS_LAYER)
    return keras.Model(ids, terms(ids), name="terms_of_a_text")


class Terms(layers.Layer):
    """Both parts: the sum over the ids of a text of what each adds to each label's logit.

    scores   int8 [ids, labels], times its scale: what the linear part gives an id; with few labels
             float32, and all scales 1: little more to store, and a quarter less to do for LiteRT
    scales   float32 [ids, 2]: the scale of a row of `scores`; the id's part in |x|^2
    vectors  float32 [words_end, d], weighted by rarity
    labels   float32 [d, labels]
    bias     float32 [labels]
    """

    def __init__(
        self,
        linear: Linear,
        words: Words,
        weighting: Weighting,
        vector_weight: float,
        **options: str,
    ) -> None:
        super().__init__(trainable=False, **options)
        scores = linear.scores * MARGIN_LOGITS
        if scores.shape[1] <= _FEW_LABELS:
            steps = numpy.ones(len(scores), numpy.float32)
            stored = scores.astype(numpy.float32)
        else:
            steps = numpy.abs(scores).max(axis=1) / _MOST_STEPS
            whole = numpy.rint(scores / numpy.where(steps > 0, steps, 1)[:, None])
            stored = whole.astype(numpy.int8)
        rarity = numpy.sqrt(weighting.squares[: len(words.vectors), None])
        self._words_end = len(words.vectors)
        self.values = {
            "scores": stored,
            "scales": numpy.stack([steps, weighting.squares], axis=1).astype(numpy.float32),
            "vectors": (words.vectors * rarity).astype(numpy.float32),
            "labels": words.labels * numpy.float32(vector_weight * MARGIN_LOGITS),
            "bias": (linear.bias + vector_weight * words.bias) * numpy.float32(MARGIN_LOGITS),
        }

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 - Keras's
        """Make the constants."""
        for name, value in self.values.items():
            made = self.add_weight(
                name=name, shape=value.shape, dtype=str(value.dtype), trainable=False,
                initializer="zeros",
            )  # fmt: skip
            made.assign(value)
            setattr(self, name, made)

    def call(self, ids):
        """Return logits [n, labels]."""
        # TensorFlow's gather, not Keras's take, which would also look for ids below 0; and sums
        # before slices: a third less to do for LiteRT, and the same numbers.
        scales = tf.gather(self.scales, ids)
        rows = tf.gather(self.scores, ids)
        if self.values["scores"].dtype != numpy.float32:
            rows = ops.cast(rows, "float32") * scales[..., :1]
        linear = ops.sum(rows, axis=1)
        linear *= ops.rsqrt(ops.sum(scales, axis=1)[:, 1:] + _TINY)
        words = ops.where(ops.less(ids, self._words_end), ids, 0)  # 0 adds nothing
        squares = ops.sum(tf.gather(self.scales, words), axis=1)[:, 1:]
        average = ops.sum(tf.gather(self.vectors, words), axis=1) * ops.rsqrt(squares + _TINY)
        # No matmul: LiteRT would keep its table lying on its side, and serving reads it.
        logits = ops.sum(average[..., None] * self.labels, axis=1)
        return linear + logits + self.bias
