"""Golden texts: the questions a deploy asks again, expecting the same answers."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, zip_longest

from classifier.bundle import GoldenText
from classifier.card import GOLDEN_LEAST, golden_most
from classifier.serving.predict import Prediction

_PER_LABEL = 4
# Nearer to a tie than this, another processor's rounding could change the label.
_SURE_MARGIN = 0.01


class GoldenChooser:
    """Takes answers as they come and keeps a few for each label the model gives."""

    def __init__(self, labels: Sequence[str]) -> None:
        """`labels` are those to cover, as far as the model gives them."""
        self._labels = tuple(labels)
        self._right: dict[str, list[GoldenText]] = defaultdict(list)
        self._other: dict[str, list[GoldenText]] = defaultdict(list)
        self._seen: set[str] = set()

    def add(self, text: str, wanted: str, prediction: Prediction) -> None:
        """Consider `text`, labelled `wanted`, with the exported model's answer."""
        first, second = sorted(prediction.probabilities.values(), reverse=True)[:2]
        good = prediction.label == wanted and first - second >= _SURE_MARGIN
        kept = (self._right if good else self._other)[prediction.label]
        most = max(_PER_LABEL, GOLDEN_LEAST)
        if len(kept) < most and text not in self._seen:
            self._seen.add(text)
            kept.append(GoldenText(text, prediction.label, prediction.probability))

    @property
    def enough(self) -> bool:
        """Whether all labels are covered and a bundle needs no more texts."""
        return not self.uncovered and len(self.choose()) >= GOLDEN_LEAST

    @property
    def uncovered(self) -> set[str]:
        """The labels that no answer had so far."""
        return set(self._labels) - self._right.keys() - self._other.keys()

    def choose(self) -> tuple[GoldenText, ...]:
        """Return the chosen texts: all labels in turn, right answers before others."""
        in_turn = [*_in_turn(self._right), *_in_turn(self._other)]
        covered = {item.label for item in _in_turn(self._right)}
        needed = [next(iter(items)) for label, items in self._other.items() if label not in covered]
        most = golden_most(len(self._labels))
        wanted = min(most, max(GOLDEN_LEAST, _PER_LABEL * len(self._right | self._other)))
        return tuple(dict.fromkeys(chain(needed, in_turn)))[:wanted]


def _in_turn(by_label: dict[str, list[GoldenText]]) -> list[GoldenText]:
    rounds = zip_longest(*(by_label[label] for label in sorted(by_label)))
    return [item for one_round in rounds for item in one_round if item is not None]
