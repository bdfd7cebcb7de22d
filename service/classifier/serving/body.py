"""The body of a request: read whole within its limit, and parsed as strict JSON."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException

from classifier.serving.errors import ApiError, shorten

_PIECE_BYTES = 65_536


def read_json(request: Request, limit_bytes: int) -> Any:
    """Return the JSON value that is the body of `request`; ApiError names what is wrong."""
    check_headers(request, "application/json")
    return parse_json(read_body(request, limit_bytes), "the body")


def parse_json(data: bytes, where: str) -> Any:
    """Return the JSON value that `data` is; `where` is what messages call it."""
    try:
        text = data.decode()
        if text.startswith(_BYTE_ORDER_MARK):
            raise json.JSONDecodeError("Unexpected UTF-8 BOM", text, 0)
        return _DECODER.decode(text)
    except UnicodeDecodeError as error:
        message = f"{where} is not UTF-8 at byte {error.start}; send JSON in UTF-8"
        raise ApiError(400, "not_utf8", message) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        message = f'{where} is not JSON: {error.msg} at {place}; send {{"text": "..."}}'
        raise ApiError(400, "not_json", message) from error
    except RecursionError as error:
        message = f'{where} is nested too deeply; send {{"text": "..."}}'
        raise ApiError(400, "nested_too_deeply", message) from error
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        message = f'{where} holds too long a number; send {{"text": "..."}}'
        raise ApiError(400, "not_json", message) from error


def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return the whole body.

    Flask's own reading is not enough: where no length is announced it cuts what is over the
    limit without a word, and it takes a body that ends before its announced length for whole.
    """
    announced = request.content_length
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""  # neither a length nor chunks: by HTTP there is no body
    if announced is not None and announced > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        data = request.environ["wsgi.input"].read(limit_bytes + 1)
    except (OSError, ParseException) as error:
        raise _unreadable() from error
    if len(data) > limit_bytes:
        raise _too_large(limit_bytes)
    if announced is not None and len(data) != announced:
        message = f"the body has {len(data)} bytes, Content-Length is {announced}; send it again"
        raise ApiError(400, "body_unreadable", message)
    return data


def read_pieces(request: Request) -> Iterator[bytes]:
    """Yield the body piece by piece, however long it is; ApiError when it ends early."""
    announced, found = request.content_length, 0
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return  # as above
    try:
        while piece := request.environ["wsgi.input"].read(_PIECE_BYTES):
            found += len(piece)
            yield piece
    except (OSError, ParseException) as error:
        raise _unreadable() from error
    if announced is not None and found != announced:
        raise _unreadable()


def check_headers(request: Request, mimetype: str) -> None:
    """Refuse a body of another type than `mimetype`, or one that is not plain UTF-8."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != mimetype or charset not in ("utf-8", "utf8"):
        found = shorten(request.headers.get("Content-Type", ""))
        message = f"Content-Type is {found}; send {mimetype} in UTF-8"
        raise ApiError(415, "unsupported_media_type", message)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        message = f"Content-Encoding is {shorten(encoding)}; send the body as it is"
        raise ApiError(415, "unsupported_encoding", message)


def _unreadable() -> ApiError:
    message = "the body is malformed or ended early; send it again"
    return ApiError(400, "body_unreadable", message)


def _too_large(limit_bytes: int) -> ApiError:
    message = f"the body is longer than {limit_bytes} bytes; send less text in one request"
    return ApiError(413, "body_too_large", message)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ApiError(400, "duplicate_key", f"{shorten(repeated)} is given twice; send it once")
    return found


def _refuse_constant(name: str) -> NoReturn:
    message = f'this is not JSON: {name} is no JSON value; send {{"text": "..."}}'
    raise ApiError(400, "not_json", message)


_BYTE_ORDER_MARK = "\ufeff"
# Made once: json.loads would make one for each request
_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
