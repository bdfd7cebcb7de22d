"""What a client asks for, read from its request and checked; anything else is an ApiError."""

from typing import Any

from flask import Request

from classifier.bundle import Limits
from classifier.serving.body import read_json
from classifier.serving.errors import ApiError, shorten

JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def read_texts(request: Request, limits: Limits, body_limit_bytes: int) -> list[str]:
    """Return the texts of a classify request: {"text": "..."} or {"texts": ["...", ...]}."""
    body = _checked_object(read_json(request, body_limit_bytes), keys=("text", "texts"))
    if len(body) != 1:
        found = "both text and texts are" if body else "neither text nor texts is"
        code = "text_and_texts" if body else "text_missing"
        raise ApiError(400, code, f"{found} given; send text for one, or texts for a list")
    if "text" in body:
        return [_checked_text(body["text"], "text", limits)]
    texts = body["texts"]
    if not isinstance(texts, list):
        raise _wrong_type("texts", texts, "a list of strings")
    if not texts:
        raise ApiError(400, "texts_empty", "texts is an empty list; send at least one text")
    if len(texts) > limits.batch_texts:
        most = limits.batch_texts
        message = f"texts holds {len(texts)} texts; send at most {most} in one request"
        raise ApiError(400, "too_many_texts", message)
    return [_checked_text(text, f"texts[{index}]", limits) for index, text in enumerate(texts)]


def _checked_object(body: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _wrong_type("the body", body, "an object")
    for key in body.keys() - set(keys):  # the first is told, if there is one
        message = f"{shorten(key)} is not a key of this request; the keys are {', '.join(keys)}"
        raise ApiError(400, "unknown_key", message)
    return body


def _checked_text(text: Any, where: str, limits: Limits) -> str:
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


def _wrong_type(where: str, value: Any, expected: str) -> ApiError:
    found = JSON_TYPES[type(value)]
    return ApiError(400, "wrong_type", f"{where} is {found}; send {expected}")
