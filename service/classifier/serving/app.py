"""The HTTP application: routes, and nothing that a route does not need."""

import os
import re
import secrets
import sys
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request

from classifier.bundle import Bundle, BundleError, load
from classifier.config import ConfigError, Settings
from classifier.serving.errors import ApiError, register_error_handlers
from classifier.serving.predict import Prediction, Predictor
from classifier.serving.requests import read_texts

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")
PROBABILITY_DIGITS = 6
UNPUBLISHED = ("golden", "files", "format", "card_sha256")  # parts of the card for machines

routes = Blueprint("routes", __name__)


@dataclass(frozen=True)
class Serving:
    """What the routes work with."""

    settings: Settings
    bundle: Bundle
    predictor: Predictor

    @property
    def identity(self) -> dict[str, str]:
        """Who answers: said in every answer, compared by the gate."""
        return {"model_id": self.bundle.model_id, "release_id": self.settings.release_id}


def create_app(settings: Settings) -> Flask:
    """Return the application for `settings`; BundleError when its bundle is not whole."""
    bundle = load(settings.bundle_dir)
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # would redirect, in HTML, where a 404 is due
    app.json.ensure_ascii, app.json.compact, app.json.sort_keys = False, True, False
    app.extensions["serving"] = Serving(settings, bundle, Predictor(bundle))
    app.before_request(_identify_request)
    app.after_request(_finish_response)
    app.register_blueprint(routes)
    register_error_handlers(app)
    return app


def application() -> Flask:
    """Return the application for the environment; exit with one line when that is wrong."""
    try:
        return create_app(Settings.from_environment(os.environ))
    except (ConfigError, BundleError) as error:
        sys.exit(f"frontdesk cannot start: {error}")


@routes.post("/v1/classify")
def classify() -> dict[str, Any]:
    """Label one text or a list of texts."""
    serving = _serving()
    limits, body_limit_bytes = serving.bundle.limits, serving.settings.body_limit_bytes
    texts = read_texts(request, limits, body_limit_bytes)
    results = [_result(prediction) for prediction in serving.predictor.predict(texts)]
    return {"results": results, **serving.identity}


@routes.get("/v1/model")
def show_model() -> dict[str, Any]:
    """Describe the model that answers."""
    serving = _serving()
    card = {key: value for key, value in serving.bundle.card.items() if key not in UNPUBLISHED}
    return {**card, **serving.identity}


@routes.get("/healthz")
def show_health() -> dict[str, str]:
    """Say that the process is alive; nothing about whether it can predict."""
    return {"status": "ok"}


@routes.get("/readyz")
def show_readiness() -> tuple[dict[str, Any], dict[str, str]]:
    """Say who answers here, once this worker has predicted."""
    serving = _serving()
    if not serving.predictor.ready:
        raise ApiError(503, "not_ready", "no prediction was made yet; ask again in a second")
    state = {"status": "ready", **serving.identity, "workers": serving.settings.workers}
    return state, {"X-Worker": str(os.getpid())}


def _serving() -> Serving:
    return current_app.extensions["serving"]


def _result(prediction: Prediction) -> dict[str, Any]:
    return {
        "label": prediction.label,
        "probability": round(prediction.probability, PROBABILITY_DIGITS),
        "probabilities": {
            label: round(value, PROBABILITY_DIGITS)
            for label, value in prediction.probabilities.items()
        },
    }


def _identify_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID_PATTERN.fullmatch(given) else secrets.token_hex(8)


def _finish_response(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    response.headers["Cache-Control"] = "no-store"
    return response
