"""The HTTP application: what is made once, before the first request."""

import os
import re
import secrets
import sys

from flask import Flask, Response, g, request

from classifier.bundle import BundleError, load
from classifier.config import ConfigError, Settings
from classifier.serving.errors import register_error_handlers
from classifier.serving.predict import Predictor
from classifier.serving.routes import Serving, routes

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")


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


def _identify_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID_PATTERN.fullmatch(given) else secrets.token_hex(8)


def _finish_response(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    response.headers["Cache-Control"] = "no-store"
    return response
