"""How long one prediction takes: `predicting.py BUNDLE TEST`, JSON out.

Texts of 200 words, made of the test texts one after the other; the median over rounds of the mean
of a round, in one process and one thread.
"""

import json
import statistics
import sys
import time

from classifier import bundle
from classifier.serving.predict import Predictor
from labelled import load

_WORDS, _TEXTS, _ROUNDS = 200, 50, 21


def main(path: str, test: str) -> None:
    words = " ".join(load(test)[0][: _TEXTS * _WORDS]).split()
    pieces = [words[start : start + _WORDS] for start in range(0, len(words), _WORDS)]
    texts = [" ".join(piece) for piece in pieces[:_TEXTS] if len(piece) == _WORDS]
    predictor = Predictor(bundle.load(path))
    predictor.warm_up()
    rounds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for text in texts:
            predictor.predict([text])
        rounds.append((time.perf_counter() - started) / len(texts))
    print(json.dumps({"microseconds": statistics.median(rounds) * 1e6, "texts": len(texts)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
