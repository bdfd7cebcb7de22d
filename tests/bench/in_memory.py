"""The same job in scikit-learn, in a process of its own: `in_memory.py DATA`, JSON out.

TF-IDF over words and pairs of words and logistic regression, with all texts in memory.
"""

import json
import sys
import time
from pathlib import Path

from classifier.training.corpus import find_places, read_corpus
from classifier.training.settings import Settings
from classifier.training.splits import Split
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def main(data: str) -> None:
    started = time.monotonic()
    corpus = read_corpus(find_places(Path(data)), Settings())
    texts, labels = _load(corpus.training)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    vectorize_started = time.monotonic()
    features = vectorizer.fit_transform(texts)
    vectorize_seconds = time.monotonic() - vectorize_started
    model = LogisticRegression(max_iter=1000).fit(features, labels)
    held_out, wanted = _load(corpus.test)
    accuracy = float(model.score(vectorizer.transform(held_out), wanted))
    print(
        json.dumps(
            {
                "texts": len(texts),
                "first_epoch_texts_per_second": len(texts) / vectorize_seconds,
                "later_epoch_texts_per_second": None,  # the features are in memory then
                "accuracy": accuracy,
                "job_seconds": time.monotonic() - started,
            }
        )
    )


def _load(split: Split) -> tuple[list[str], list[int]]:
    texts, labels = [], []
    for text, label in split.texts():
        texts.append(text.decode())
        labels.append(label)
    return texts, labels


if __name__ == "__main__":
    main(*sys.argv[1:])
