"""How good answers are: accuracy and macro F1, counted as they come."""

from collections import Counter
from collections.abc import Sequence
from typing import Any


class Scores:
    """Counts of right and wrong answers, per label."""

    def __init__(self) -> None:
        self._right: Counter[str] = Counter()
        self._wanted: Counter[str] = Counter()
        self._given: Counter[str] = Counter()

    def add(self, wanted: str, given: str) -> None:
        """Count one text that has the label `wanted` and was answered with `given`."""
        self._wanted[wanted] += 1
        self._given[given] += 1
        self._right[wanted] += wanted == given

    @property
    def texts(self) -> int:
        """How many answers were counted."""
        return self._wanted.total()

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self._right.total() / self.texts

    @property
    def macro_f1(self) -> float:
        """The mean over labels of the F1 score; a label neither wanted nor given has none."""
        labels = self._wanted.keys() | self._given.keys()
        f1 = [2 * self._right[x] / (self._wanted[x] + self._given[x]) for x in sorted(labels)]
        return sum(f1) / len(f1)

    def per_label(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Return precision, recall, F1 and support of each of `labels`.

        None where it is undefined: the precision of a label never given, the recall of one that
        no text had.
        """
        return [
            {
                "label": label,
                "precision": _share(self._right[label], self._given[label]),
                "recall": _share(self._right[label], self._wanted[label]),
                "f1": _share(2 * self._right[label], self._wanted[label] + self._given[label]),
                "support": self._wanted[label],
            }
            for label in labels
        ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
