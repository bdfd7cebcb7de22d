"""The OpenAPI document, generated from the routes, their docstrings and the types of `models`."""

from typing import Any

import msgspec
from flask import Flask

from classifier.bundle import Bundle
from classifier.config import Settings
from classifier.serving.models import ANSWER_MODELS, Refusal, request_models
from classifier.serving.stream import MIMETYPE

# For the host itself, and this document
UNDESCRIBED = ("show_metrics", "show_openapi")
_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"


def document(app: Flask, bundle: Bundle, settings: Settings) -> dict[str, Any]:
    """Return the document for the routes of `app`, in the limits of `bundle`."""
    from apispec import APISpec  # noqa: PLC0415 - asked for rarely, and not at all by most workers

    requests = request_models(bundle)
    models = {each for types in requests.values() for each in types}
    models |= {Refusal, *ANSWER_MODELS.values()}
    _, schemas = msgspec.json.schema_components(
        sorted(models, key=lambda model: model.__name__), ref_template=_REFERENCE
    )
    spec = APISpec("Frontdesk", settings.release_id, "3.1.0", info={"description": _DESCRIPTION})
    for name, schema in schemas.items():
        spec.components.schema(name, schema)
    if settings.api_keys_path is not None:
        spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for rule in app.url_map.iter_rules():
        endpoint = rule.endpoint.rpartition(".")[2]
        if endpoint in UNDESCRIBED:
            continue
        operation = _operation(endpoint, app.view_functions[rule.endpoint].__doc__, requests)
        if settings.api_keys_path is not None and rule.rule.startswith("/v1/"):
            operation["security"] = [{"key": []}]
        (method,) = rule.methods - {"HEAD", "OPTIONS"}
        spec.path(rule.rule, operations={method.lower(): operation})
    return spec.to_dict()


_DESCRIPTION = "Labels texts. Every answer carries X-Request-ID; a request may bring its own."


def _operation(
    endpoint: str, summary: str, requests: dict[str, tuple[type, ...]]
) -> dict[str, Any]:
    is_stream = endpoint == "classify_stream"
    answer = {"type": "string"} if is_stream else _reference(ANSWER_MODELS[endpoint])
    headers = {"X-Request-ID": {"required": True, "schema": {"type": "string"}}}
    refused = {
        "description": "Refused; `error` says why, and what to do.",
        "content": {_JSON: {"schema": _reference(Refusal)}},
        "headers": headers,
    }
    answered = {
        "description": "Answered.",
        "content": {MIMETYPE if is_stream else _JSON: {"schema": answer}},
        "headers": headers,
    }
    operation = {
        "operationId": endpoint,
        "summary": summary.rstrip("."),
        "responses": {"200": answered, "default": refused},
    }
    if is_stream:
        # No schema is for a line alone, and lines that are none are answered as well
        content = {MIMETYPE: {"schema": {}}}
    elif endpoint in requests:
        shapes = [_reference(model) for model in requests[endpoint]]
        content = {_JSON: {"schema": shapes[0] if len(shapes) == 1 else {"oneOf": shapes}}}
    else:
        return operation
    return {**operation, "requestBody": {"required": True, "content": content}}


def _reference(model: type) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=model.__name__)}
