"""The routes: each reads its request, asks the model, and answers; nothing else."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, current_app, g, request

from classifier.bundle import Bundle
from classifier.config import Settings
from classifier.serving.answers import answer_of
from classifier.serving.body import check_headers
from classifier.serving.errors import ApiError
from classifier.serving.explain import explain as explain_text
from classifier.serving.feedback import Feedback
from classifier.serving.keys import ApiKeys
from classifier.serving.metrics import CONTENT_TYPE, Metrics
from classifier.serving.openapi import document
from classifier.serving.predict import Predictor
from classifier.serving.record import Record
from classifier.serving.request_log import RequestLog
from classifier.serving.requests import (
    ClassifyRequest,
    read_classify,
    read_explain,
    read_feedback,
)
from classifier.serving.stream import MIMETYPE, LineAnswers, Streams, read_file

UNPUBLISHED = ("golden", "files", "format", "card_sha256")  # parts of the card for machines

routes = Blueprint("routes", __name__)


@dataclass(frozen=True)
class Serving:
    """What the routes work with; `identity` is who answers: in every answer, read by the gate."""

    settings: Settings
    bundle: Bundle
    predictor: Predictor
    request_log: RequestLog
    feedback: Feedback
    streams: Streams
    keys: ApiKeys
    metrics: Metrics
    identity: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Join once what each answer says."""
        identity = {"model_id": self.bundle.model_id, "release_id": self.settings.release_id}
        object.__setattr__(self, "identity", identity)

    def finish(self, record: Record, method: str, status: int) -> None:
        """Count and log a request, whichever way it was answered."""
        self.metrics.count_request(record, status)
        self.request_log.write(record, method, status)


@routes.post("/v1/classify")
def classify() -> dict[str, Any]:
    """Label one text or a list of texts."""
    serving = _serving()
    asked = read_classify(request, serving.bundle.limits, serving.settings)
    return answer_classify(serving, asked, g.record)


def answer_classify(serving: Serving, asked: ClassifyRequest, record: Record) -> dict[str, Any]:
    """Return the answer to `asked`, whichever way it came, and note it in `record`."""
    begun = time.perf_counter()
    predictions = serving.predictor.predict(asked.texts)
    model_seconds = time.perf_counter() - begun
    results = [answer_of(each, asked.top, asked.threshold) for each in predictions]
    record.note_answers(asked.texts, results, model_seconds)
    return {"results": results, **serving.identity, "request_id": record.request_id}


@routes.post("/v1/classify/stream")
def classify_stream() -> Response:
    """Label texts line by line, for as long as lines come."""
    serving = _serving()
    check_headers(request, MIMETYPE)
    lines = LineAnswers(
        serving.predictor, serving.bundle, serving.settings, serving.metrics, g.record
    )
    with serving.streams.place() as place:
        answers = lines.answer(request)
        response = Response(read_file(answers), mimetype=MIMETYPE)
        response.call_on_close(answers.close)
        response.call_on_close(place.pop_all().close)
    g.record.facts.update(texts=lines.answered, refused_lines=lines.refused)
    return response


@routes.post("/v1/feedback")
def take_feedback() -> dict[str, Any]:
    """Keep the right label for a request."""
    serving = _serving()
    limit_bytes = serving.settings.body_limit_bytes
    serving.feedback.keep(*read_feedback(request, serving.bundle.labels, limit_bytes))
    return {"kept": True, **_identity(serving)}


@routes.post("/v1/explain")
def explain() -> dict[str, Any]:
    """Tell how each word of a text moves the score of one label."""
    serving = _serving()
    asked = read_explain(request, serving.bundle, serving.settings.body_limit_bytes)
    begun = time.perf_counter()
    explanation = explain_text(
        serving.predictor,
        serving.bundle,
        asked.text,
        asked.label,
        serving.settings.timeout_seconds,
    )
    g.record.note_explanation(asked.text, explanation, time.perf_counter() - begun)
    return {**explanation, **_identity(serving)}


@routes.get("/v1/model")
def show_model() -> dict[str, Any]:
    """Describe the model that answers."""
    serving = _serving()
    card = {key: value for key, value in serving.bundle.card.items() if key not in UNPUBLISHED}
    return {**card, **_identity(serving)}


@routes.get("/openapi.json")
def show_openapi() -> dict[str, Any]:
    """Describe this interface for programs."""
    serving = _serving()
    return document(current_app, serving.bundle, serving.settings)


@routes.get("/metrics")
def show_metrics() -> Response:
    """Show the numbers of all workers; Nginx lets nobody but this host ask."""
    return Response(_serving().metrics.render(), content_type=CONTENT_TYPE)


@routes.get("/healthz")
def show_health() -> dict[str, str]:
    """Say that the process is alive; nothing about whether it can predict."""
    return {"status": "ok", "request_id": g.record.request_id}


@routes.get("/readyz")
def show_readiness() -> tuple[dict[str, Any], dict[str, str]]:
    """Say who answers here, once this worker has predicted."""
    serving = _serving()
    if not serving.predictor.ready:
        raise ApiError(503, "not_ready", "no prediction was made yet; ask again in a second")
    state = {"status": "ready", "workers": serving.settings.workers, **_identity(serving)}
    return state, {"X-Worker": str(os.getpid())}


def _serving() -> Serving:
    return current_app.extensions["serving"]


def _identity(serving: Serving) -> dict[str, str]:
    return {**serving.identity, "request_id": g.record.request_id}
