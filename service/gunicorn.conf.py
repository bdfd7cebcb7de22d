"""How Gunicorn serves the application: python -m gunicorn -c gunicorn.conf.py, from this folder.

The listener comes from systemd (LISTEN_FDS); for development add --bind unix:/tmp/frontdesk.sock.
"""

import atexit
import gc
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

# numpy's own arithmetic is not used: without this it would start threads in the master.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from classifier.config import ConfigError, Settings
from classifier.serving.predict import PredictError
from gunicorn import util
from gunicorn.arbiter import Arbiter

try:
    _settings = Settings.from_environment(os.environ)
except ConfigError as _error:
    sys.exit(f"frontdesk cannot start: {_error}")

# A worker shows that it lives by touching a file here: memory, so a slow disk kills nobody.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - Gunicorn makes its file there safely

# Set before anything imports prometheus_client, which looks at it once. What another master left
# there goes here, in the master; nothing goes with a worker, or its counts would be lost.
_metrics_dir = _settings.metrics_dir
if _metrics_dir is None:
    _metrics_dir = Path(tempfile.mkdtemp(prefix="frontdesk-", dir=worker_tmp_dir))
    _master = os.getpid()
    atexit.register(lambda: os.getpid() == _master and shutil.rmtree(_metrics_dir))
for _left in _metrics_dir.glob("*.db"):
    _left.unlink()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_dir)

wsgi_app = "classifier.serving.app:application()"
proc_name = "frontdesk"
workers = _settings.workers
threads = _settings.threads
worker_class = "classifier.serving.worker.Worker"
timeout = _settings.timeout_seconds
graceful_timeout = 30
# A kept connection stays with its worker, which is how the gate asks each of them.
keepalive = 5
# Imports and the vocabulary are shared by all workers; interpreters are made after the fork.
preload_app = True
control_socket_disable = True
accesslog = None
errorlog = "-"
# At least what Nginx lets through: whatever is too large, it refuses first.
limit_request_line = 8190
limit_request_fields = 1000


def _write_error(sock, status, reason, message):
    """Answer in JSON what Gunicorn refuses before the application sees it."""
    code = reason.lower().replace(" ", "_")
    error = {"code": code, "message": message or "Something broke in the server."}
    body = json.dumps({"error": error, "request_id": secrets.token_hex(8)}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)


# Gunicorn has no setting for it: its workers look this function up whenever they need it
util.write_error = _write_error


def on_starting(server):
    """Before systemd is told that the service is up, see whether its model predicts.

    A process of its own tries: interpreters must not exist before the workers are forked, and a
    sandbox that the model cannot live in kills the process that tries it.
    """
    # Out of the collector's reach: its visits write to each object, and would unshare its page.
    gc.collect()
    gc.freeze()
    child = os.fork()
    if child == 0:
        _predict_and_exit(server.app.wsgi().extensions["serving"].predictor)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        name = signal.Signals(-status).name
        sys.exit(f"frontdesk cannot start: the first prediction was ended by {name}")
    if status > 0:
        sys.exit(status)  # the child has said why


def _predict_and_exit(predictor):
    status = 1
    try:
        predictor.warm_up()
        status = 0
    except PredictError as error:
        print(f"frontdesk cannot start: {error}", file=sys.stderr, flush=True)
    except BaseException:  # noqa: BLE001 - whatever it is, it must be seen before the process ends
        traceback.print_exc()
    finally:
        os._exit(status)  # none of the master's own ways of ending apply here


def post_worker_init(worker):
    """Predict once in each worker; one that cannot says why and stops the service."""
    try:
        worker.wsgi.extensions["serving"].predictor.warm_up(worker.cfg.threads)
    except PredictError as error:
        worker.log.error("frontdesk cannot predict: %s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
