"""Every error the application answers with: one JSON shape, one line, and what to do next."""

import re
from collections.abc import Mapping

from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException


class ApiError(Exception):
    """A request that is refused: HTTP status, snake_case code, one line with the value."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}


def register_error_handlers(app: Flask) -> None:
    """Make `app` answer every error, the framework's own included, in JSON."""
    app.register_error_handler(ApiError, _answer_api_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)


def error_response(status: int, code: str, message: str) -> Response:
    """Return the JSON answer that all errors share."""
    error = {"code": code, "message": message}
    response = jsonify({"error": error, "request_id": g.record.request_id})
    g.record.facts["error"] = code
    response.status_code = status
    return response


def shorten(value: str, most: int = 60) -> str:
    """Return `value` fit to be shown in a message: printable, on one line, not too long."""
    shown = value if len(value) <= most else value[:most] + "..."
    return repr(shown.encode("utf-8", "backslashreplace").decode())


def _answer_api_error(error: ApiError) -> Response:
    response = error_response(error.status, error.code, error.message)
    response.headers.update(error.headers)
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    code = re.sub(r"[^a-z0-9]+", "_", error.name.lower()).strip("_")
    headers = {}
    match status:
        case 404:
            message = f"nothing is at {shorten(request.path)}; ask POST /v1/classify"
        case 405:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
            headers["Allow"] = allowed
            method = shorten(request.method)
            message = f"{method} is not possible at {shorten(request.path)}; use {allowed}"
        case _:
            message = " ".join((error.description or error.name).split())
    response = error_response(status, code, message)
    response.headers.update(headers)
    return response


def _answer_unexpected(_: Exception) -> Response:
    current_app.logger.exception("request %s failed", g.record.request_id)
    return error_response(500, "internal_error", "the service failed; its log has the reason")
