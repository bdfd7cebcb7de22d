"""What a client asks for, read from its request and checked; anything else is an ApiError."""

import json
from typing import Any, NoReturn

from flask import Request

from classifier.bundle import Limits
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


def read_texts(request: Request, limits: Limits) -> list[str]:
    """Return the texts of a classify request: {"text": "..."} or {"texts": ["...", ...]}."""
    body = read_object(request, keys=("text", "texts"))
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


def read_object(request: Request, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON object that is the body, with no other keys than `keys`."""
    body = _read_json(request)
    if not isinstance(body, dict):
        raise _wrong_type("the body", body, "an object")
    for key in body.keys() - set(keys):
        message = f"{shorten(key)} is not a key of this request; the keys are {', '.join(keys)}"
        raise ApiError(400, "unknown_key", message)
    return body


def _read_json(request: Request) -> Any:
    _check_headers(request)
    data = request.get_data(cache=False)
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        message = f"the body is not UTF-8 at byte {error.start}; send JSON in UTF-8"
        raise ApiError(400, "not_utf8", message) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        message = f"the body is not JSON: {error.msg} at {place}"
        raise ApiError(400, "not_json", message) from error
    except RecursionError as error:
        message = 'the body is nested too deeply; send {"text": "..."}'
        raise ApiError(400, "nested_too_deeply", message) from error
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        message = 'the body holds too long a number; send {"text": "..."}'
        raise ApiError(400, "not_json", message) from error


def _check_headers(request: Request) -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        found = shorten(request.headers.get("Content-Type", ""))
        message = f"Content-Type is {found}; send application/json in UTF-8"
        raise ApiError(415, "unsupported_media_type", message)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        message = f"Content-Encoding is {shorten(encoding)}; send the body as it is"
        raise ApiError(415, "unsupported_encoding", message)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ApiError(400, "duplicate_key", f"{shorten(repeated)} is given twice; send it once")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ApiError(400, "not_json", f"the body is not JSON: {name} is no JSON value")


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
