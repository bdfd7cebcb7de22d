"""BentoML: a service with two workers, no batching, since one text takes microseconds."""

from typing import Any

import bentoml
from peer_answers import Answerer


@bentoml.service(workers=2, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Classifier:
    """Labels texts."""

    def __init__(self) -> None:
        self._answerer = Answerer()

    @bentoml.api(route="/v1/classify")
    async def classify(self, text: str) -> dict[str, Any]:
        """Label one text."""
        return self._answerer.answer(text)
