"""Labelled texts of a table in memory, and the figures of answers to them."""

import json
from collections.abc import Sequence
from pathlib import Path

from classifier.training.scores import Scores
from classifier.training.sources import clean, open_source

Texts = tuple[list[str], list[str]]


def load(path: str) -> Texts:
    """Return all texts of a table, and their labels."""
    texts, labels = [], []
    for label, raw, _ in open_source(Path(path)).read():
        texts.append(clean(raw).decode())
        labels.append(label)
    return texts, labels


def tell(wanted: Sequence[str], given: Sequence[str], **figures: float) -> None:
    """Print the figures of a run as JSON, how right the answers are among them."""
    scores = Scores()
    for pair in zip(wanted, given, strict=True):
        scores.add(*pair)
    found = {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1, "texts": scores.texts}
    print(json.dumps(found | figures))
