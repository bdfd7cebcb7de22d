"""The HTTP application: what is made once, before the first request."""

import os
import sys

from flask import Flask, Response, current_app, g, request

from classifier.bundle import BundleError, load
from classifier.config import ConfigError, Settings
from classifier.serving.errors import register_error_handlers
from classifier.serving.feedback import Feedback
from classifier.serving.json_provider import JsonProvider
from classifier.serving.keys import ApiKeys
from classifier.serving.metrics import Metrics
from classifier.serving.predict import Predictor
from classifier.serving.record import Record
from classifier.serving.request_log import RequestLog
from classifier.serving.routes import Serving, routes
from classifier.serving.stream import Streams


def create_app(settings: Settings) -> Flask:
    """Return the application for `settings`; BundleError when its bundle is not whole."""
    bundle = load(settings.bundle_dir)
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # would redirect, in HTML, where a 404 is due
    app.json = JsonProvider(app)
    app.extensions["serving"] = Serving(
        settings,
        bundle,
        Predictor(bundle),
        RequestLog(settings, bundle.model_id),
        Feedback(settings, bundle.model_id),
        Streams(settings.threads),
        ApiKeys(settings.api_keys_path),
        Metrics(settings, bundle),
    )
    app.before_request(_begin_request)
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


def _begin_request() -> None:
    route = "" if request.url_rule is None else request.url_rule.rule
    headers = request.headers
    g.record = Record(headers.get("X-Request-ID", ""), headers.get("X-Request-Start"), route)
    if request.path.startswith("/v1/"):
        serving: Serving = current_app.extensions["serving"]
        if name := serving.keys.check(request):
            g.record.facts["key"] = name


def _finish_response(response: Response) -> Response:
    serving: Serving = current_app.extensions["serving"]
    response.headers["X-Request-ID"] = g.record.request_id
    response.headers["X-Release-ID"] = serving.settings.release_id
    response.headers["Cache-Control"] = "no-store"
    serving.finish(g.record, request.method, response.status_code)
    return response
