"""MLServer: a runtime of one's own in the server's process, with the V2 protocol.

Workers of its own (parallel_workers) would cost each request a hop between processes.
"""

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from peer_answers import Answerer


class Classifier(MLModel):
    """Labels texts."""

    async def load(self) -> bool:
        self._answerer = Answerer()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Label the texts of one request."""
        texts = StringCodec.decode_input(payload.inputs[0])
        answers = [self._answerer.answer(text)["results"][0] for text in texts]
        labels = StringCodec.encode_output("label", [answer["label"] for answer in answers])
        return InferenceResponse(model_name=self.name, outputs=[labels])
