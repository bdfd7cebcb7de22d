"""Texts of any amount from random words, with words that each label likes: data to measure on.

python tests/bench/made_up_texts.py build/bench/700.csv --megabytes 700
"""

import argparse
import csv
from pathlib import Path

import numpy

LABELS = 10
_WORDS, _OWN_WORDS, _OWN_SHARE = 200_000, 500, 0.1
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
_BATCH = 1000


def write_table(path: Path, megabytes: float, *, words_a_text: int = 200, seed: int = 1) -> int:
    """Write a csv of about `megabytes` to `path` and return how many texts it holds."""
    random = numpy.random.default_rng(seed)
    words = _make_words(random)
    # As in a language: the n-th word is about n times rarer than the first.
    edges = numpy.cumsum(1 / numpy.arange(1, _WORDS + 1))
    edges /= edges[-1]
    texts = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "text"])
        while file.tell() < megabytes * 1e6:
            for label in random.integers(LABELS, size=_BATCH):
                length = int(random.integers(words_a_text // 2, words_a_text * 3 // 2))
                places = numpy.searchsorted(edges, random.random(length))
                own = random.random(length) < _OWN_SHARE
                first = _WORDS - (int(label) + 1) * _OWN_WORDS
                places[own] = first + random.integers(_OWN_WORDS, size=own.sum())
                rows.writerow([f"label {label}", " ".join(words[places])])
            texts += _BATCH
    return texts


def _make_words(random: numpy.random.Generator) -> numpy.ndarray:
    found: dict[str, None] = {}
    while len(found) < _WORDS:
        parts = random.integers(len(_SYLLABLES), size=int(random.integers(2, 6)))
        found["".join(_SYLLABLES[part] for part in parts)] = None
    return numpy.array(list(found), object)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("output", type=Path, metavar="FILE.csv")
    parser.add_argument("--megabytes", type=float, required=True, metavar="N")
    args = parser.parse_args()
    print(f"{write_table(args.output, args.megabytes)} texts in {args.output}")


if __name__ == "__main__":
    main()
