"""bundle.json, the card of a bundle: what it must hold, and the digests that show any change.

Pure functions on parsed JSON, standard library only. `bundle` puts the card into a folder.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from classifier.traffic import CONFIDENCE_BINS, QUANTILES

FORMAT = 4
GOLDEN_LEAST = 8
_GOLDEN_MOST = 64  # where there are not more labels

_KINDS: dict[str, type] = {
    "format": int,
    "model_id": str,
    "created": str,
    "labels": list,
    "tokenizer": dict,
    "limits": dict,
    "metrics": dict,
    "calibration": dict,
    "statistics": dict,
    "embedding": dict,
    "terms": dict,
    "golden": list,
    "never_given": list,
    "training": dict,
    "files": dict,
    "card_sha256": str,
}
_TOKENIZER_KINDS: dict[str, type] = {
    "kind": str,
    "ngrams": int,
    "words": int,
    "pairs": int,
    "pieces": int,
    "max_tokens": int,
    "max_length": int,
}
_LIMIT_KINDS: dict[str, type] = {"text_chars": int, "batch_texts": int}
_GOLDEN_KINDS: dict[str, type] = {"text": str, "label": str, "probability": float}
# `metrics` and `training` may hold more: readers need these.
_METRIC_KINDS: dict[str, type] = {
    "accuracy": float,
    "macro_f1": float,
    "held_out_texts": int,
    "training_texts": int,
}
_CALIBRATION_KINDS: dict[str, type] = {
    "temperature": float,
    "ece_before": float,
    "ece_after": float,
    "bins": int,
    "texts": int,
}
_STATISTICS_KINDS: dict[str, type] = {
    "texts": int,
    "label_mix": dict,
    "confidence": dict,
    "words": dict,
    "unknown_words": dict,
}
_SPREAD_KINDS: dict[str, dict[str, type]] = {
    "confidence": {"histogram": list, "quantiles": dict},
    "words": {"quantiles": dict},
    "unknown_words": {"share": float, "quantiles": dict},
}
# The tensor of the model with a vector for each id; "" and 0 when it has none.
_EMBEDDING_KINDS: dict[str, type] = {"tensor": str, "dimensions": int}
# The tensors of a model whose score is a sum over its ids; all "" for any other model. See
# training.model.Terms for what each holds.
TERM_NAMES = ("scores", "scales", "vectors", "labels", "bias")
_KINDS_OF_IDS = ("bag", "sequence")
_MAY_BE_NONE = {"pairs", "pieces"}
_TRAINING_KINDS: dict[str, type] = {
    "source": str,
    "data_digest": str,
    "settings": dict,
    "versions": dict,
    "seed": int,
    "duration_seconds": float,
}
# Two trainings that give the same answers share an id; when and how they ran does not count.
_KEYS_OUTSIDE_ID = {"created", "training", "model_id", "card_sha256"}


class CardError(ValueError):
    """A card that is not valid: one line that says what is wrong."""


def seal(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card with its model_id and its own digest filled in."""
    sealed = {"format": FORMAT, "model_id": "", **card, "card_sha256": ""}
    sealed["model_id"] = _model_id(sealed)
    sealed["card_sha256"] = _card_digest(sealed)
    return sealed


def render(card: Mapping[str, Any]) -> bytes:
    """Return the one way of writing a card; `parse` accepts no other."""
    return (json.dumps(card, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def parse(data: bytes, file_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the card that `data` holds, all of it checked; it vouches for `file_names`.

    Raises CardError.
    """
    try:
        card = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CardError(f"not valid JSON: {error}") from error
    if not isinstance(card, dict):
        raise CardError("must be a JSON object")
    if "format" in card and card["format"] != FORMAT:
        raise CardError(
            f"format {card['format']!r} is unknown, this version reads {FORMAT}; train again"
        )
    _check_kinds("", card, _KINDS, exactly=True)
    _check_sections(card, file_names)
    _check_labels(card["labels"])
    _check_statistics(card)
    _check_golden(card)
    try:
        # A digest that fits and the one way of writing it: no byte of the card can differ.
        unchanged = card["card_sha256"] == _card_digest(card) and data == render(card)
    except ValueError as error:
        raise CardError(f"holds a value that cannot be written: {error}") from error
    if not unchanged:
        raise CardError("changed since it was written; train again or copy the bundle anew")
    if card["model_id"] != _model_id(card):
        raise CardError(f"model_id {card['model_id']!r} does not fit the content; train again")
    return card


def _check_sections(card: dict[str, Any], file_names: tuple[str, ...]) -> None:
    _check_kinds("tokenizer.", card["tokenizer"], _TOKENIZER_KINDS, exactly=True)
    _check_kinds("limits.", card["limits"], _LIMIT_KINDS, exactly=True)
    _check_kinds("metrics.", card["metrics"], _METRIC_KINDS)
    _check_kinds("training.", card["training"], _TRAINING_KINDS)
    _check_kinds("calibration.", card["calibration"], _CALIBRATION_KINDS, exactly=True)
    _check_kinds("embedding.", card["embedding"], _EMBEDDING_KINDS, exactly=True)
    _check_kinds("terms.", card["terms"], dict.fromkeys(TERM_NAMES, str), exactly=True)
    _check_kinds("files.", card["files"], dict.fromkeys(file_names, str), exactly=True)
    for section in ("tokenizer", "limits"):
        for name, value in card[section].items():
            least = 0 if name in _MAY_BE_NONE else 1
            if isinstance(value, int) and value < least:
                raise CardError(f"{section}.{name} is {value}, must be {least} or more")
    if not card["calibration"]["temperature"] > 0:
        raise CardError(
            f"calibration.temperature is {card['calibration']['temperature']}, must be above 0"
        )
    if card["tokenizer"]["kind"] not in _KINDS_OF_IDS:
        raise CardError(
            f"tokenizer.kind is {card['tokenizer']['kind']!r}, must be one of "
            f"{', '.join(_KINDS_OF_IDS)}"
        )


def _check_labels(labels: list[Any]) -> None:
    if any(not isinstance(label, str) or not label for label in labels):
        raise CardError("labels must be non-empty strings")
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise CardError(f"labels must be two or more, each once; found {len(labels)}")


def _check_statistics(card: dict[str, Any]) -> None:
    statistics = card["statistics"]
    _check_kinds("statistics.", statistics, _STATISTICS_KINDS, exactly=True)
    shares = dict.fromkeys(card["labels"], float)
    _check_kinds("statistics.label_mix.", statistics["label_mix"], shares, exactly=True)
    for section, kinds in _SPREAD_KINDS.items():
        where = f"statistics.{section}."
        _check_kinds(where, statistics[section], kinds, exactly=True)
        quantiles = dict.fromkeys(QUANTILES, float)
        _check_kinds(
            f"{where}quantiles.", statistics[section]["quantiles"], quantiles, exactly=True
        )
    histogram = statistics["confidence"]["histogram"]
    if len(histogram) != CONFIDENCE_BINS or any(type(count) is not int for count in histogram):
        raise CardError(f"statistics.confidence.histogram must be {CONFIDENCE_BINS} counts")
    if sum(histogram) != statistics["texts"]:
        raise CardError(
            f"statistics.confidence.histogram counts {sum(histogram)} texts, "
            f"statistics.texts says {statistics['texts']}"
        )


def golden_most(label_count: int) -> int:
    """Return how many golden texts a bundle may hold: enough for one of each label."""
    return max(_GOLDEN_MOST, label_count)


def never_given(labels: Sequence[str], golden_labels: Sequence[str]) -> list[str]:
    """Return the labels that no golden text covers, since the model gave them for no text."""
    covered = set(golden_labels)
    return [label for label in labels if label not in covered]


def _check_golden(card: dict[str, Any]) -> None:
    golden, longest = card["golden"], card["limits"]["text_chars"]
    most = golden_most(len(card["labels"]))
    if not GOLDEN_LEAST <= len(golden) <= most:
        raise CardError(f"{len(golden)} golden texts, must be {GOLDEN_LEAST} to {most}")
    for place, item in enumerate(golden):
        where = f"golden[{place}]"
        if not isinstance(item, dict):
            raise CardError(f"{where} must be an object")
        _check_kinds(f"{where}.", item, _GOLDEN_KINDS, exactly=True)
        if item["label"] not in card["labels"]:
            raise CardError(f"{where}.label {item['label']!r} is not one of the labels")
        if not 0 <= item["probability"] <= 1:
            raise CardError(f"{where}.probability is {item['probability']}, must be 0 to 1")
        if not item["text"].strip() or len(item["text"]) > longest:
            raise CardError(f"{where}.text is empty or longer than limits.text_chars ({longest})")
    missing = never_given(card["labels"], [item["label"] for item in golden])
    if card["never_given"] != missing:
        raise CardError(
            f"never_given is {card['never_given']}, but the labels without a golden text "
            f"are {missing}"
        )


def _check_kinds(
    prefix: str, values: dict[str, Any], kinds: Mapping[str, type], *, exactly: bool = False
) -> None:
    for name, kind in kinds.items():
        if name not in values:
            raise CardError(f"{prefix}{name} is missing")
        accepted = (int, float) if kind is float else kind
        # bool is an int to Python, not to a reader of JSON
        if not isinstance(values[name], accepted) or isinstance(values[name], bool):
            raise CardError(f"{prefix}{name} must be of type {kind.__name__}")
    unknown = sorted(values.keys() - kinds.keys())
    if exactly and unknown:
        raise CardError(f"{prefix}{unknown[0]} is not known")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _model_id(card: Mapping[str, Any]) -> str:
    return _digest({k: v for k, v in card.items() if k not in _KEYS_OUTSIDE_ID})[:12]


def _card_digest(card: Mapping[str, Any]) -> str:
    return _digest({k: v for k, v in card.items() if k != "card_sha256"})
