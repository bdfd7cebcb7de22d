"""What is known of one request: gathered while it is answered, told to the log and the metrics."""

import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECONDS_DIGITS = 6
LONGEST_WAIT_SECONDS = 3600  # beyond it a clock was set, since Nginx waits for no answer so long
_MOMENT_PATTERN = re.compile(r"[0-9]{1,12}\.[0-9]{3}", re.ASCII)


class Record:
    """One request, from when the application sees it; times in seconds.

    `queue_seconds` is the time since Nginx handed the request over (0 where it says nothing).
    """

    __slots__ = ("answers", "begun", "facts", "is_from_edge", "model_seconds", "queue_seconds",
                 "request_id", "route", "texts")  # fmt: skip

    def __init__(self, given_id: str, handed_over: str | None, route: str) -> None:
        """Take what the headers X-Request-ID and X-Request-Start say, if it can do no harm."""
        self.begun = time.perf_counter()
        is_harmless = REQUEST_ID_PATTERN.fullmatch(given_id)
        self.request_id = given_id if is_harmless else secrets.token_hex(8)
        self.is_from_edge = handed_over is not None  # not the gate's, on the socket itself
        self.queue_seconds = _seconds_since(handed_over)
        self.route = route
        self.model_seconds = 0.0
        self.answers: Sequence[dict[str, Any]] = ()
        self.texts: Sequence[str] = ()
        self.facts: dict[str, Any] = {}

    def note_answers(
        self, texts: Sequence[str], answers: Sequence[dict[str, Any]], model_seconds: float
    ) -> None:
        """Remember what was asked and answered, and how long the model took for it."""
        self.texts, self.answers, self.model_seconds = texts, answers, model_seconds

    def note_explanation(
        self, text: str, explanation: dict[str, Any], model_seconds: float
    ) -> None:
        """Remember what was explained; it counts as no answer, since none was asked for."""
        self.texts = (text,)
        self.facts = {
            "model_seconds": round(model_seconds, SECONDS_DIGITS),
            "label": explanation["label"],
            "confidence": explanation["probability"],
        }

    def line(self, method: str, status: int, *, with_texts: bool) -> dict[str, Any]:
        """Return what the log says. Of the client's own words there is none but its texts.

        A path that leads nowhere is not repeated, so nothing that a client makes up gets in.
        """
        said = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": self.request_id,
            "method": method,
            "route": self.route or None,
            "status": status,
            "seconds": round(time.perf_counter() - self.begun, SECONDS_DIGITS),
            "queue_seconds": round(self.queue_seconds, SECONDS_DIGITS),
            **self.facts,
        }
        if self.answers:
            said["model_seconds"] = round(self.model_seconds, SECONDS_DIGITS)
            said["texts"] = len(self.answers)
            if len(self.answers) == 1:
                said["label"] = self.answers[0]["label"]
                said["confidence"] = self.answers[0]["probability"]
            else:
                said["labels"] = [answer["label"] for answer in self.answers]
                said["confidences"] = [answer["probability"] for answer in self.answers]
        if with_texts and self.texts:
            said["sent"] = self.texts
        return said


def _seconds_since(moment: str | None) -> float:
    """Seconds since a UNIX time as Nginx's $msec writes it; 0 for one that can't be so."""
    if moment is None or not _MOMENT_PATTERN.fullmatch(moment):
        return 0.0
    seconds = time.time() - float(moment)
    return seconds if 0 <= seconds <= LONGEST_WAIT_SECONDS else 0.0
