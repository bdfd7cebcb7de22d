"""The settings of training as options of the command line, each with what it is good for."""

import argparse
import dataclasses
import math
from collections.abc import Callable

from classifier.training.settings import CACHE_PLACES, MEMORY_LIMIT_BYTES, REFITS, Settings


def fraction(text: str) -> float:
    """Parse a number from 0 to 1."""
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _part(text: str) -> float:
    return _number(text, float, lambda value: 0 < value <= 0.4, "a number above 0, at most 0.4")


def _rate(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value < 1, "a number from 0 to below 1")


def _positive(text: str) -> float:
    return _number(text, float, lambda value: 0 < value < math.inf, "a number above 0")


def count(text: str) -> int:
    """Parse a whole number from 1."""
    return _number(text, int, lambda value: 1 <= value < 2**31, "a whole number, 1 or more")


def _whole(text: str) -> int:
    return _number(text, int, lambda value: 0 <= value < 2**31, "a whole number, 0 or more")


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return parse


def _run_length(text: str) -> int:
    return _number(text, int, lambda value: value in (1, 2), "1 or 2")


def _piece_length(text: str) -> int:
    return _number(text, int, lambda value: value == 0 or 3 <= value <= 8, "0, or from 3 to 8")


def _exponent(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _weight(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value < math.inf, "a number, 0 or more")


# setting: how it is parsed, what it does
_OPTIONS: dict[str, tuple[Callable[[str], float | str], str]] = {
    "ngrams": (_run_length, "1: single words; 2: pairs of them, too"),
    "max_tokens": (count, "most words and pairs in the vocabulary"),
    "min_count": (count, "leave out words and pairs that fewer texts than this hold"),
    "max_length": (count, "most ids of a text; the rest is cut"),
    "pieces": (
        _piece_length,
        "longest piece of a word, 3 characters the shortest; they speak for words that are new; "
        "0: no pieces",
    ),
    "max_pieces": (count, "most pieces in the vocabulary"),
    "piece_weight": (_weight, "how much a piece counts beside a whole word"),
    "strength": (_positive, "C of the linear part; smaller is more cautious"),
    "balance": (
        _exponent,
        "0: each text counts alike, as accuracy sees it; 1: each class counts alike, however few "
        "texts it has, as macro F1 sees it",
    ),
    "refit": (
        _one_of(*REFITS),
        "all: once measured, the model is fitted anew to all texts, those for validation and those "
        "taken out for the measurement included (a test split that is given never is); none: the "
        "measured model itself is kept",
    ),
    "dimensions": (count, "length of a word's vector"),
    "vector_weight": (_weight, "how much the vectors of words count beside the linear part"),
    "token_dropout": (_rate, "share of words hidden in each training step"),
    "dropout": (_rate, "share of the averaged vector hidden in each training step"),
    "batch_size": (
        _whole,
        "texts in a training step; recommended: 0, which makes about 128 steps in an epoch of "
        "8 to 256 texts each; more is faster, and worse on few texts",
    ),
    "shuffle_buffer": (
        count,
        "texts mixed in memory at a time; recommended: leave it, all texts are dealt at random to "
        "shards of this size first, so that more mixes no better; less where texts are very long",
    ),
    "cache": (
        _one_of(*CACHE_PLACES),
        "where the ids of the texts stay between epochs; recommended: auto, which is memory up to "
        f"{MEMORY_LIMIT_BYTES >> 20} MB of ids and a nameless file in $TMPDIR (or /var/tmp) "
        "beyond. none reads and vectorises the texts anew in each epoch, many times slower, and "
        "mixes only as far as --shuffle-buffer: for data in mixed order that no disk can hold",
    ),
    "epochs": (count, "most passes over the texts"),
    "patience": (count, "stop after this many passes without a better validation loss"),
    "learning_rate": (_positive, "Adam's step size; Keras's default is 0.001"),
    "beta_1": (_rate, "Adam's memory of the gradient; Keras's default is 0.9"),
    "beta_2": (_rate, "Adam's memory of its square; Keras's default is 0.999"),
    "epsilon": (_positive, "Adam's guard against division by zero; Keras's default is 1e-07"),
    "bundle_megabytes": (_positive, "largest bundle; a smaller one knows fewer words"),
    "validation_fraction": (_part, "share that decides when to stop; not with a validation split"),
    "test_fraction": (_part, "share held out to measure on; not used with a test split"),
    "seed": (_whole, "the same seed and data give the same bundle"),
}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give `parser` an option for each setting, its default stated."""
    group = parser.add_argument_group("settings (the defaults fit any data)")
    for field in dataclasses.fields(Settings):
        parse, text = _OPTIONS[field.name]
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=parse,
            default=field.default,
            metavar="PLACE" if isinstance(field.default, str) else "N",
            help=f"{text} (default {_shown(field.default)})",
        )


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def to_settings(args: argparse.Namespace) -> Settings:
    """Return the settings that the parsed options ask for."""
    names = [field.name for field in dataclasses.fields(Settings)]
    return Settings(**{name: getattr(args, name) for name in names})


def _number(
    text: str, kind: type[float] | type[int], accepts: Callable[[float], bool], wanted: str
) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not accepts(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value
