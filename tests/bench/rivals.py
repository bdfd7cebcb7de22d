"""One rival in a process of its own: `rivals.py WAY TRAIN TEST`, JSON out.

svm, logistic       scikit-learn: TF-IDF over words and pairs (sublinear), the classifier's own
                    defaults otherwise
fasttext5, ...25    fastText with pairs of words, learning rate 0.5, that many epochs
"""

import sys
import tempfile
import time
from typing import Any

from labelled import Texts, load, tell
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC


def scikit(model: Any, train: Texts, test: Texts) -> tuple[list[str], float]:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = vectorizer.fit_transform(train[0])
    model.fit(features, train[1])
    numbers = model.coef_.size + features.shape[1]
    return list(model.predict(vectorizer.transform(test[0]))), numbers * 8 / 1e6


def fasttext(epochs: int, train: Texts, test: Texts) -> tuple[list[str], float]:
    import fasttext as package

    names = sorted(set(train[1]))  # labels may hold spaces: their places stand for them
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for text, label in zip(*train, strict=True):
            file.write(f"__label__{names.index(label)} {' '.join(text.split())}\n")
        file.flush()
        model = package.train_supervised(
            file.name, epoch=epochs, lr=0.5, wordNgrams=2, verbose=0, thread=2
        )
    answers = []
    for text in test[0]:
        # The class beneath: the package's own predict needs an older numpy.
        found = model.f.predict(f"{' '.join(text.split())}\n", 1, 0.0, "strict")
        answers.append(names[int(found[0][1].removeprefix("__label__"))] if found else names[0])
    numbers = model.get_input_matrix().size + model.get_output_matrix().size
    return answers, numbers * 4 / 1e6


WAYS = {
    "svm": lambda *data: scikit(LinearSVC(), *data),
    "logistic": lambda *data: scikit(LogisticRegression(max_iter=1000), *data),
    "fasttext5": lambda *data: fasttext(5, *data),
    "fasttext25": lambda *data: fasttext(25, *data),
}


def main(way: str, train: str, test: str) -> None:
    texts, wanted = load(test)
    started = time.monotonic()
    given, megabytes = WAYS[way](load(train), (texts, wanted))
    tell(wanted, given, seconds=time.monotonic() - started, model_megabytes=megabytes)


if __name__ == "__main__":
    main(*sys.argv[1:])
