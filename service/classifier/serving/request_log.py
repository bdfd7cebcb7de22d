"""One line of JSON for each request: who asked what, what was answered, and how long it took."""

import os
import sys
import time

import msgspec

from classifier.config import Settings
from classifier.serving.bounded_log import BoundedLog
from classifier.serving.record import Record

_encode = msgspec.json.Encoder().encode
_STANDARD_ERROR = 2
_MEGABYTE = 1_048_576
SECONDS_BETWEEN_COMPLAINTS = 60


class RequestLog:
    """The log of a service; its lines go to a bounded file, or to standard error without one."""

    def __init__(self, settings: Settings, model_id: str) -> None:
        """Take what `settings` says; the file is made by the first line."""
        self._identity = {"release_id": settings.release_id, "model_id": model_id}
        self._with_texts = settings.log_texts
        self._file = None
        self._quiet_until = 0.0  # time.monotonic()
        if settings.request_log_path is not None:
            limit_bytes = settings.request_log_limit_mb * _MEGABYTE
            self._file = BoundedLog(settings.request_log_path, limit_bytes)

    def write(self, record: Record, method: str, status: int) -> None:
        """Write the line; a log that cannot be written stops no request and floods no other."""
        said = record.line(method, status, with_texts=self._with_texts)
        line = _encode(said | self._identity) + b"\n"
        try:
            if self._file is None:
                os.write(_STANDARD_ERROR, line)
            else:
                self._file.append(line)
        except OSError as error:
            now = time.monotonic()
            if now >= self._quiet_until:
                self._quiet_until = now + SECONDS_BETWEEN_COMPLAINTS
                print(f"the request log cannot be written: {error}", file=sys.stderr)
