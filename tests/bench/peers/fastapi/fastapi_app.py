"""FastAPI: uvicorn with uvloop and httptools, a process for each worker, no access log.

The handler is a coroutine: the work takes microseconds, so a thread pool would only add to it.
"""

from typing import Any

from fastapi import FastAPI
from peer_answers import Answerer
from pydantic import BaseModel


class Question(BaseModel):
    """The body of a request."""

    text: str


app = FastAPI(openapi_url=None)
answerer = Answerer()


@app.post("/v1/classify")
async def classify(question: Question) -> dict[str, Any]:
    """Label one text."""
    return answerer.answer(question.text)
