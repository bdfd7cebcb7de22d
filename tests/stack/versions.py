"""Versions of the product that answer differently, each made from a whole one by one change."""

import hashlib
import json
import shutil
from pathlib import Path

from classifier import bundle as bundles
from classifier import card as cards
from classifier.serving.predict import Predictor

TEXTS = [
    path.read_text().strip()
    for path in sorted(Path(__file__).parents[2].glob("service/sample_data/*/*.txt"))
]


def text(number):
    """A text for each number, and another for each other."""
    first, second = TEXTS[number % len(TEXTS)], TEXTS[number // len(TEXTS) % len(TEXTS)]
    return f"{first} {second} Ticket {number}."


def changed_bundle(source, target, change):
    """A copy of a bundle after `change(card, its folder)`: sealed anew, so whole in itself."""
    shutil.copytree(source, target)
    path = target / bundles.CARD_NAME
    card = json.loads(path.read_text())
    change(card, target)
    for name in bundles.DATA_NAMES:
        card["files"][name] = hashlib.sha256((target / name).read_bytes()).hexdigest()
    covered = [each["label"] for each in card["golden"]]
    card["never_given"] = cards.never_given(card["labels"], covered)
    path.write_bytes(cards.render(cards.seal(card)))
    return bundles.load(target).path


def rotate_labels(card, _folder=None):
    """Give every text the label after the one it had: no answer is right for both versions."""
    labels = card["labels"]
    after = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    card["labels"] = [after[label] for label in labels]
    for each in card["golden"]:
        each["label"] = after[each["label"]]


def mislabel_a_golden_text(card, _folder):
    golden = card["golden"][0]
    golden["label"] = next(each for each in card["labels"] if each != golden["label"])


def drift_a_golden_score(card, _folder):
    golden = card["golden"][0]
    golden["probability"] += 0.01 if golden["probability"] < 0.5 else -0.01


def exchange_the_vocabulary(card, folder):
    """The same words, each with the id of another."""
    path = folder / bundles.VOCABULARY_NAME
    words = path.read_text().split("\n")[:-1]
    # Words among themselves: pairs and pieces stay what they are said to be
    end = card["tokenizer"]["words"]
    words[:end] = reversed(words[:end])
    path.write_text("".join(f"{word}\n" for word in words))


def changed_service(source, target, name, appended):
    """A copy of the service's code with a few lines more at the end of the file `name`."""
    ignored = shutil.ignore_patterns("__pycache__", "sample_data", "training")
    shutil.copytree(source, target, ignore=ignored)
    with (target / name).open("a") as file:
        file.write(appended)
    return target


class Answers:
    """What the bundles that may serve answer: wrong(exchange) is the reason against an answer."""

    def __init__(self, *folders):
        loaded = [bundles.load(folder) for folder in folders]
        self._predictors = {each.model_id: Predictor(each) for each in loaded}

    def wrong(self, exchange):
        if exchange.model not in self._predictors:
            return f"an answer of another model: {exchange.model}"
        (right,) = self._predictors[exchange.model].predict([text(exchange.number)])
        if exchange.label != right.label:
            return f"{exchange.label} instead of {right.label}"
        return ""
