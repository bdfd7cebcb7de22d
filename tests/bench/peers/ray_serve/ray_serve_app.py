"""Ray Serve: two replicas, in the mode that its documentation calls optimized for throughput.

`ray_serve_app.py PORT`
"""

import signal
import sys
from typing import Any

import ray
from peer_answers import Answerer
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=2, max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.5})
class Classifier:
    """Labels texts."""

    def __init__(self) -> None:
        self._answerer = Answerer()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Label one text."""
        return self._answerer.answer((await request.json())["text"])


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(sys.argv[1])},
        logging_config={"enable_access_log": False},
    )
    serve.run(Classifier.bind(), route_prefix="/v1/classify")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()
