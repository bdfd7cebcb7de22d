"""The model of TensorFlow's text classification tutorial: `tutorial.py TRAIN TEST`, JSON out.

As the tutorial has it: the 10,000 most frequent words, 250 of a text, vectors of 16 numbers,
averaged, dropout of 0.2 before and after, a dense layer; Adam, 10 epochs, batches of 32, a fifth of
the texts for validation.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy
import tensorflow as tf
from keras import layers
from labelled import load, tell

_WORDS, _LENGTH, _DIMENSIONS, _EPOCHS, _BATCH = 10_000, 250, 16, 10, 32


def main(train: str, test: str) -> None:
    keras.utils.set_random_seed(1)
    held_out, wanted = load(test)
    started = time.monotonic()
    texts, labels = load(train)
    names = sorted(set(labels))
    order = numpy.random.default_rng(1).permutation(len(texts))
    places = numpy.array([names.index(label) for label in labels])[order]
    vectorize = layers.TextVectorization(
        max_tokens=_WORDS, output_mode="int", output_sequence_length=_LENGTH
    )
    mixed = tf.constant([texts[place] for place in order])
    edge = len(texts) * 4 // 5
    vectorize.adapt(mixed[:edge])
    ids = vectorize(mixed).numpy()
    network = keras.Sequential(
        [
            layers.Embedding(_WORDS, _DIMENSIONS),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(len(names), activation="softmax"),
        ]
    )
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    network.fit(
        ids[:edge],
        places[:edge],
        validation_data=(ids[edge:], places[edge:]),
        epochs=_EPOCHS,
        batch_size=_BATCH,
        verbose=0,
    )
    given = network.predict(vectorize(tf.constant(held_out)), verbose=0).argmax(axis=1)
    answers = [names[place] for place in given]
    megabytes = network.count_params() * 4 / 1e6
    tell(wanted, answers, seconds=time.monotonic() - started, model_megabytes=megabytes)


if __name__ == "__main__":
    main(*sys.argv[1:])
