"""Write the Keras model that the naive way serves: `naive_model.py BUNDLE TARGET.keras`.

Text in, probabilities out, with the words and pairs of the bundle's vocabulary and a network of
the default one's shape: a score for each id and label, and a vector for each word. The weights are
not the bundle's, which holds none for Keras; they do not change the speed.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from classifier.bundle import SPECIAL_IDS, load
from classifier.training.settings import Settings
from keras import layers, ops


def main(bundle_path: str, target: str) -> None:
    bundle = load(bundle_path)
    told, labels = bundle.tokenizer, len(bundle.labels)
    known = told.words + told.pairs
    vectorization = layers.TextVectorization(
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=told.ngrams,
        output_sequence_length=told.max_length,
        vocabulary=list(bundle.vocabulary[:known]),
    )
    text = keras.Input((1,), dtype="string")
    ids = vectorization(text)
    scores = layers.Embedding(known + SPECIAL_IDS, labels)(ids)
    of_words = ops.where(ops.less(ids, told.words + SPECIAL_IDS), ids, 0)
    vectors = layers.Embedding(told.words + SPECIAL_IDS, Settings().dimensions)(of_words)
    linear, average = _average(scores, ids), _average(vectors, of_words)
    logits = layers.add([linear, layers.Dense(labels)(average)])
    keras.Model(text, ops.softmax(logits)).save(target)


def _average(rows: keras.KerasTensor, ids: keras.KerasTensor) -> keras.KerasTensor:
    """Return the mean of the rows of all ids but padding; 0 where there are none."""
    known = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    return ops.sum(rows * known, axis=1) / ops.maximum(ops.sum(known, axis=1), 1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
