"""The right labels that clients send for requests: a line of JSON each, kept on the disk."""

from datetime import UTC, datetime

import msgspec

from classifier.config import Settings
from classifier.serving.bounded_log import BoundedLog
from classifier.serving.errors import ApiError

_MEGABYTE = 1_048_576


class Feedback:
    """The file of feedback; the oldest of it goes when it is full."""

    def __init__(self, settings: Settings, model_id: str) -> None:
        """Take what `settings` says; the file is made by the first line."""
        self._identity = {"release_id": settings.release_id, "model_id": model_id}
        self._file = None
        if settings.feedback_path is not None:
            limit_bytes = settings.feedback_limit_mb * _MEGABYTE
            self._file = BoundedLog(settings.feedback_path, limit_bytes)

    def keep(self, request_id: str, label: str) -> None:
        """Return once the line is on the disk; ApiError when that cannot be."""
        if self._file is None:
            raise ApiError(404, "feedback_off", "this service keeps no feedback; its settings say")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "request_id": request_id, "label": label, **self._identity}
        try:
            self._file.append_durably(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            message = f"the feedback cannot be written ({error.strerror}); send it again later"
            raise ApiError(503, "feedback_not_kept", message) from error
