"""Write the Keras model that the naive way serves: `naive_model.py BUNDLE TARGET.keras`.

Text in, probabilities out, with the bundle's vocabulary and a network of the product's default
shape. The weights are not the bundle's, which holds none for Keras; they do not change the speed.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy
from classifier.bundle import load
from classifier.training import model, settings, vectorize


def main(bundle_path: str, target: str) -> None:
    bundle = load(bundle_path)
    layer = vectorize.build(bundle.vocabulary, bundle.tokenizer.ngrams)
    counts = numpy.ones(bundle.tokenizer.max_tokens, numpy.int64)
    statistics = model.Statistics(counts, numpy.ones(len(bundle.labels), numpy.int64))
    network = model.build(statistics, settings.Settings(ngrams=bundle.tokenizer.ngrams))
    text = keras.Input((1,), dtype="string")
    dense = keras.layers.TextVectorization(
        standardize=vectorize.STANDARDIZE,
        split=vectorize.SPLIT,
        ngrams=bundle.tokenizer.ngrams,
        output_sequence_length=bundle.tokenizer.max_length,
        vocabulary=layer.get_vocabulary(include_special_tokens=False),
    )
    keras.Model(text, keras.ops.softmax(network(dense(text)))).save(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
