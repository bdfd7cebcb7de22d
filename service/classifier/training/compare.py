"""Two bundles on the same texts: which is better, how sure that is, and where they differ.

Free of TensorFlow.
"""

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from classifier import bundle
from classifier.serving.predict import Prediction, Predictor
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.sources import clean, open_source, problem

CONFIDENCE = 0.95


@dataclass
class Comparison:
    """Counts of a paired comparison; `disagreements` are the texts answered differently."""

    both: int = 0
    only_first: int = 0
    only_second: int = 0
    neither: int = 0
    disagreements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def texts(self) -> int:
        """How many texts both were asked."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def accuracies(self) -> tuple[float, float]:
        """The share of right answers of the first and of the second."""
        return (self.both + self.only_first) / self.texts, (
            self.both + self.only_second
        ) / self.texts

    @property
    def difference(self) -> float:
        """Accuracy of the second less that of the first."""
        return (self.only_second - self.only_first) / self.texts

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference, for paired answers.

        Wald's with half a text added to each of the four counts: A. Agresti and Y. Min, "Simple
        improved confidence intervals for comparing matched proportions", Statistics in Medicine
        24 (2005).
        """
        first, second, count = self.only_first + 0.5, self.only_second + 0.5, self.texts + 2
        middle = (second - first) / count
        deviation = math.sqrt(first + second - (second - first) ** 2 / count) / count
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * deviation
        return max(-1.0, middle - half), min(1.0, middle + half)

    @property
    def p_value(self) -> float:
        """How likely so uneven a split of the differing answers is if neither is better.

        McNemar's test in its exact, two-sided form: a sign test on the texts one of them has right.
        """
        count, fewer = (
            self.only_first + self.only_second,
            min(self.only_first, self.only_second),
        )
        logs = [
            math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
            for k in range(fewer + 1)
        ]
        return min(1.0, 2 * sum(math.exp(log - count * math.log(2)) for log in logs))

    def add(self, text: str, wanted: str, first: Prediction, second: Prediction) -> None:
        """Count one text and both answers."""
        right = (first.label == wanted, second.label == wanted)
        self.both += right == (True, True)
        self.only_first += right == (True, False)
        self.only_second += right == (False, True)
        self.neither += right == (False, False)
        if first.label != second.label:
            answers = [
                {"label": answer.label, "probability": answer.probability}
                for answer in (first, second)
            ]
            self.disagreements.append({"text": text, "label": wanted, "answers": answers})


def compare(
    first_path: str | os.PathLike[str],
    second_path: str | os.PathLike[str],
    data_path: str | os.PathLike[str],
) -> tuple[Comparison, tuple[bundle.Bundle, bundle.Bundle]]:
    """Ask both bundles all usable texts at `data_path`; the surest disagreements come first.

    A label that only one of them knows counts as a mistake of the other.
    """
    bundles = (bundle.load(first_path), bundle.load(second_path))
    for one, other in (bundles, bundles[::-1]):
        unknown = [repr(label) for label in one.labels if label not in other.labels]
        if unknown:
            named = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
            print(
                f"warning: {other.path} does not know {len(unknown)} labels of {one.path}: {named}",
                file=sys.stderr,
            )
    first, second = map(Predictor, bundles)
    comparison = Comparison()
    for text, label in _texts(data_path, {*bundles[0].labels, *bundles[1].labels}):
        comparison.add(text, label, first.predict([text])[0], second.predict([text])[0])
    if not comparison.texts:
        raise DataError(f"{data_path}: holds no texts to compare on; give labelled texts")
    comparison.disagreements.sort(
        key=lambda item: -sum(answer["probability"] for answer in item["answers"])
    )
    return comparison, bundles


def _texts(data_path: str | os.PathLike[str], known: set[str]) -> Iterator[tuple[str, str]]:
    source, notices = open_source(data_path), Notices()
    for label, raw, where in source.read():
        notices.take(problem(raw), where)
        text = clean(raw).decode()
        if not text:
            continue
        if label not in known:
            raise DataError(
                f"{source.path}: {where} has the label {label!r}, which neither bundle knows; "
                "compare on texts with the labels they were trained on"
            )
        yield text, label
    notices.say(source.path, sys.stderr)
