"""What every peer answers with: the product's model and tokenizer, without the product's HTTP."""

import os
from typing import Any

from classifier.bundle import load
from classifier.serving.predict import Predictor


class Answerer:
    """Holds the model of the bundle at BENCH_BUNDLE; one for each process."""

    def __init__(self) -> None:
        bundle = load(os.environ["BENCH_BUNDLE"])
        self._model_id = bundle.model_id
        self._predictor = Predictor(bundle)
        self._predictor.warm_up()

    def answer(self, text: str) -> dict[str, Any]:
        """Return what POST /v1/classify of the product says of one text."""
        (prediction,) = self._predictor.predict([text])
        result = {
            "label": prediction.label,
            "probability": round(prediction.probability, 6),
            "probabilities": {
                label: round(value, 6) for label, value in prediction.probabilities.items()
            },
        }
        return {"results": [result], "model_id": self._model_id, "release_id": "bench"}
