"""What a client asks for, read from its request and checked; anything else is an ApiError."""

from typing import Any, NamedTuple

from flask import Request

from classifier.bundle import Bundle, Limits
from classifier.config import Settings
from classifier.serving.body import read_json
from classifier.serving.errors import ApiError, shorten
from classifier.serving.record import REQUEST_ID_PATTERN

CLASSIFY_KEYS = ("text", "texts", "top", "threshold")
LINE_KEYS = ("text", "top", "threshold", "id")
EXPLAIN_KEYS = ("text", "label")
FEEDBACK_KEYS = ("request_id", "label")
JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class ClassifyRequest(NamedTuple):
    """Texts to label; at most `top` labels each (None: all), none below `threshold`."""

    texts: list[str]
    top: int | None
    threshold: float


class ExplainRequest(NamedTuple):
    """A text, and the label whose score is explained (None: the likeliest)."""

    text: str
    label: str | None


def read_classify(request: Request, limits: Limits, settings: Settings) -> ClassifyRequest:
    """Return what a classify request asks for: {"text": "..."} or {"texts": ["...", ...]}."""
    return check_classify(read_json(request, settings.body_limit_bytes), limits, settings)


def check_classify(value: Any, limits: Limits, settings: Settings) -> ClassifyRequest:
    """Return what the body of a classify request, as parsed, asks for."""
    body = _checked_object(value, CLASSIFY_KEYS)
    if ("text" in body) == ("texts" in body):
        found = "both text and texts are" if "text" in body else "neither text nor texts is"
        code = "text_and_texts" if "text" in body else "text_missing"
        raise ApiError(400, code, f"{found} given; send text for one, or texts for a list")
    if "text" in body:
        texts = [check_text(body["text"], "text", limits)]
    else:
        texts = _checked_texts(body["texts"], limits)
    return ClassifyRequest(texts, *_read_options(body, settings))


def read_line(line: Any, limits: Limits, settings: Settings) -> ClassifyRequest:
    """Return what a line of a stream asks for: {"text": "..."}, with an "id" of any scalar."""
    body = _checked_object(line, LINE_KEYS, "the line")
    if isinstance(body.get("id"), dict | list):
        raise _wrong_type("id", body["id"], "a string, a number, a boolean or null")
    if "text" not in body:
        raise ApiError(400, "text_missing", "the line has no text; send text")
    texts = [check_text(body["text"], "text", limits)]
    return ClassifyRequest(texts, *_read_options(body, settings))


def read_feedback(request: Request, labels: tuple[str, ...], limit_bytes: int) -> tuple[str, str]:
    """Return which request was answered wrongly, or rightly, and the right label for it."""
    body = _checked_object(read_json(request, limit_bytes), FEEDBACK_KEYS)
    for key in FEEDBACK_KEYS:
        if key not in body:
            raise ApiError(400, f"{key}_missing", f"no {key} is given; send request_id and label")
    request_id = body["request_id"]
    if not isinstance(request_id, str):
        raise _wrong_type("request_id", request_id, "a string")
    if not REQUEST_ID_PATTERN.fullmatch(request_id):
        message = f"request_id is {shorten(request_id)}; send the one of an answer"
        raise ApiError(400, "request_id_malformed", message)
    return request_id, check_label(body["label"], labels)


def read_explain(request: Request, bundle: Bundle, body_limit_bytes: int) -> ExplainRequest:
    """Return what an explain request asks for: {"text": "..."}, with a "label" or without."""
    body = _checked_object(read_json(request, body_limit_bytes), EXPLAIN_KEYS)
    if "text" not in body:
        raise ApiError(400, "text_missing", "no text is given; send text")
    text = check_text(body["text"], "text", bundle.limits)
    if "label" not in body:
        return ExplainRequest(text, None)
    return ExplainRequest(text, check_label(body["label"], bundle.labels))


def check_label(label: Any, labels: tuple[str, ...]) -> str:
    """Return `label` if it is one of the model's, `labels`."""
    if not isinstance(label, str):
        raise _wrong_type("label", label, "a string")
    if label not in labels:
        message = f"{shorten(label)} is no label of this model; GET /v1/model lists them"
        raise ApiError(400, "unknown_label", message)
    return label


def check_text(text: Any, where: str, limits: Limits) -> str:
    """Return `text` if it can be classified; `where` is what messages call it."""
    if not isinstance(text, str):
        raise _wrong_type(where, text, "a string")
    if len(text) > limits.text_chars:
        message = f"{where} has {len(text)} characters; send at most {limits.text_chars}"
        raise ApiError(400, "text_too_long", message)
    if not text or text.isspace():
        raise ApiError(400, "text_empty", f"{where} is empty; send at least one word")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = f"U+{ord(text[error.start]):04X} at character {error.start}"
        message = f"{where} holds half of a surrogate pair, {found}; send both halves or neither"
        raise ApiError(400, "text_not_unicode", message) from error
    return text


def _read_options(body: dict[str, Any], settings: Settings) -> tuple[int | None, float]:
    top = _checked_top(body["top"]) if "top" in body else None
    if "threshold" in body:
        return top, _checked_threshold(body["threshold"])
    return top, settings.threshold


def _checked_object(body: Any, keys: tuple[str, ...], where: str = "the body") -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _wrong_type(where, body, "an object")
    for key in body.keys() - set(keys):  # the first is told, if there is one
        message = f"{shorten(key)} is not a key of this request; the keys are {', '.join(keys)}"
        raise ApiError(400, "unknown_key", message)
    return body


def _checked_texts(texts: Any, limits: Limits) -> list[str]:
    if not isinstance(texts, list):
        raise _wrong_type("texts", texts, "a list of strings")
    if not texts:
        raise ApiError(400, "texts_empty", "texts is an empty list; send at least one text")
    if len(texts) > limits.batch_texts:
        most = limits.batch_texts
        message = f"texts holds {len(texts)} texts; send at most {most} in one request"
        raise ApiError(400, "too_many_texts", message)
    return [check_text(text, f"texts[{index}]", limits) for index, text in enumerate(texts)]


def _checked_top(top: Any) -> int:
    if type(top) not in (int, float):
        raise _wrong_type("top", top, "a whole number from 1")
    if top < 1 or top % 1 != 0:  # infinity % 1 is not a number, and so refused
        message = f"top is {shorten(str(top))}; send a whole number from 1"
        raise ApiError(400, "top_out_of_range", message)
    return int(top)


def _checked_threshold(threshold: Any) -> float:
    if type(threshold) not in (int, float):
        raise _wrong_type("threshold", threshold, "a number from 0 to 1")
    if not 0 <= threshold <= 1:
        message = f"threshold is {shorten(str(threshold))}; send a number from 0 to 1"
        raise ApiError(400, "threshold_out_of_range", message)
    return threshold


def _wrong_type(where: str, value: Any, expected: str) -> ApiError:
    found = JSON_TYPES[type(value)]
    return ApiError(400, "wrong_type", f"{where} is {found}; send {expected}")
