"""How Gunicorn serves the application: python -m gunicorn -c gunicorn.conf.py, from this folder.

The listener comes from systemd (LISTEN_FDS); for development add --bind unix:/tmp/frontdesk.sock.
"""

import gc
import os
import sys

# numpy's own arithmetic is not used: without this it would start threads in the master.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from classifier.config import ConfigError, Settings
from classifier.serving.predict import PredictError
from gunicorn.arbiter import Arbiter

try:
    _settings = Settings.from_environment(os.environ)
except ConfigError as _error:
    sys.exit(f"frontdesk cannot start: {_error}")

wsgi_app = "classifier.serving.app:application()"
proc_name = "frontdesk"
workers = _settings.workers
threads = _settings.threads
worker_class = "gthread"
timeout = _settings.timeout_seconds
graceful_timeout = 30
# A kept connection stays with its worker, which is how the gate asks each of them.
keepalive = 5
# Imports and the vocabulary are shared by all workers; interpreters are made after the fork.
preload_app = True
# A worker shows that it lives by touching a file here: memory, so a slow disk kills nobody.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - Gunicorn makes its file there safely
control_socket_disable = True
accesslog = None
errorlog = "-"


def when_ready(_server):
    """Before the first fork, move all objects out of the collector's reach.

    A collection in a worker writes to each object it visits, and would unshare its page.
    """
    gc.collect()
    gc.freeze()


def post_worker_init(worker):
    """Predict once in each worker; one that cannot says why and stops the service."""
    try:
        worker.wsgi.extensions["serving"].predictor.warm_up(worker.cfg.threads)
    except PredictError as error:
        worker.log.error("frontdesk cannot predict: %s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
