"""A model of one's own: a convolution over words, as in Kim (2014).

    python -m classifier train sample_data --output ../build/cnn --model examples/cnn.py --ngrams 1

`build` is called once the vocabulary is known. It returns a Keras model from ids, int32
[texts, length], to one number for each label (logits, or probabilities from a softmax). Id 0 is
padding and must not have any effect: answers may not depend on how much of it there is.
"""

import keras
from keras import layers, ops

WIDTHS = (2, 3, 4)
FILTERS = 64


def build(vocabulary_size: int, labels: tuple[str, ...]) -> keras.Model:
    """Return the network for ids below `vocabulary_size`: the best match of each filter decides."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    vectors = layers.Embedding(vocabulary_size, 64, name="vectors")(ids)
    is_word = ops.expand_dims(ops.cast(ops.not_equal(ids, 0), "float32"), -1)
    vectors = layers.SpatialDropout1D(0.3)(vectors * is_word)
    # A relu is never negative, so a padded place, made 0, never is the greatest.
    best = [
        ops.max(
            layers.Conv1D(FILTERS, width, padding="causal", activation="relu")(vectors) * is_word,
            axis=1,
        )
        for width in WIDTHS
    ]
    joined = layers.Dropout(0.5)(layers.Concatenate()(best))
    return keras.Model(ids, layers.Dense(len(labels), name="labels")(joined), name="cnn")
