"""LitServe: two workers, two API servers, its fast queue: `litserve_app.py PORT`."""

import sys
from typing import Any

import litserve
from peer_answers import Answerer


class Classifier(litserve.LitAPI):
    """Labels texts."""

    def setup(self, device: str) -> None:
        self._answerer = Answerer()

    def decode_request(self, request: dict[str, Any]) -> str:
        return request["text"]

    def predict(self, text: str) -> dict[str, Any]:
        return self._answerer.answer(text)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Classifier(api_path="/v1/classify"),
        accelerator="cpu",
        devices=1,
        workers_per_device=2,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=2,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
