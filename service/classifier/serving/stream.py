"""A stream of texts: a line of JSON each, in and out, without ever holding them all in memory.

Answers wait in a file until the last line is read: Nginx stops passing a body on once an answer to
it has begun, and most clients read nothing before they have sent everything.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

import msgspec
from flask import Request

from classifier.bundle import Bundle
from classifier.config import Settings
from classifier.serving.answers import answer_of
from classifier.serving.body import parse_json, read_pieces
from classifier.serving.errors import ApiError
from classifier.serving.metrics import Metrics
from classifier.serving.predict import Predictor
from classifier.serving.record import Record
from classifier.serving.requests import read_line

MIMETYPE = "application/x-ndjson"
_PIECE_BYTES = 65_536
_FOLDER = "/var/tmp"  # noqa: S108 - on a disk, where /tmp may be memory; the unit's own there
_MEGABYTE = 1_048_576
_encode = msgspec.json.Encoder().encode


class Streams:
    """The places for streams of one worker: each keeps a thread busy for as long as it lasts."""

    def __init__(self, threads: int) -> None:
        """Give half of the threads to streams, so that other requests always find one."""
        self._places = threading.BoundedSemaphore(max(1, threads // 2))

    def place(self) -> ExitStack:
        """Return a place, given back when it is closed; ApiError 429 when there is none."""
        if not self._places.acquire(blocking=False):
            message = "as many streams run as the service takes; send this one again after a while"
            raise ApiError(429, "too_many_streams", message, {"Retry-After": "1"})
        stack = ExitStack()
        stack.callback(self._places.release)
        return stack


class LineAnswers:
    """Answers to the lines of one stream; counts what it answered and what it refused."""

    def __init__(
        self,
        predictor: Predictor,
        bundle: Bundle,
        settings: Settings,
        metrics: Metrics,
        record: Record,
    ) -> None:
        """Work with the model of `bundle`, within its limits and those of `settings`."""
        self._metrics, self._record = metrics, record
        self._predictor, self._limits, self._settings = predictor, bundle.limits, settings
        self.answered = self.refused = 0

    def answer(self, request: Request) -> BinaryIO:
        """Return a file of the answers to all lines of `request`, to be read from its start.

        ApiError when the body is cut short, or the answers outgrow the disk or their limit.
        """
        limit_bytes = self._settings.stream_limit_mb * _MEGABYTE
        try:
            with ExitStack() as stack:
                answers = stack.enter_context(tempfile.TemporaryFile(dir=_FOLDER))
                for line in read_lines(read_pieces(request), self._settings.body_limit_bytes):
                    answers.write(self._answer_line(line))
                    if answers.tell() > limit_bytes:
                        message = f"the answers have more than {limit_bytes} bytes; send less"
                        raise ApiError(413, "stream_too_large", message)
                answers.seek(0)
                stack.pop_all()
                return answers
        except OSError as error:
            message = f"the answers cannot be kept ({error.strerror}); send this again later"
            raise ApiError(503, "stream_not_kept", message) from error

    def _answer_line(self, line: bytes | None) -> bytes:
        value: Any = None
        try:
            if line is None:
                most = self._settings.body_limit_bytes
                raise ApiError(400, "line_too_long", f"the line is longer than {most} bytes")
            value = parse_json(line, "the line")
            asked = read_line(value, self._limits, self._settings)
            (prediction,) = self._predictor.predict(asked.texts)
            answer = answer_of(prediction, asked.top, asked.threshold)
            if self._record.is_from_edge:
                self._metrics.count_texts(asked.texts, [answer])
            self.answered += 1
        except ApiError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
            self.refused += 1
        given = {"id": value["id"]} if _has_scalar_id(value) else {}
        return _encode(given | answer) + b"\n"


def read_lines(pieces: Iterator[bytes], longest: int) -> Iterator[bytes | None]:
    """Yield the lines of a body, without empty ones; None for each beyond `longest` bytes."""
    rest, skipping = b"", False
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if skipping and lines:
            lines[0], skipping = b"", False  # the end of a line that was told of already
        for line in lines:
            if line.strip():
                yield line if len(line) <= longest else None
        if len(rest) > longest or skipping:
            if not skipping:
                yield None
            rest, skipping = b"", True
    if rest.strip():
        yield rest


def read_file(file: BinaryIO) -> Iterator[bytes]:
    """Yield what `file` holds, in pieces, and close it."""
    with file:
        yield from iter(lambda: file.read(_PIECE_BYTES), b"")


def _has_scalar_id(value: Any) -> bool:
    return isinstance(value, dict) and "id" in value and not isinstance(value["id"], dict | list)
