"""POST /v1/classify with one text, answered without the framework, byte for byte as it would be.

Only a request that is plainly right is answered here: one of the few forms that Nginx sends, whole,
and with nothing after it. None for every other, which the full path then takes as if it were new:
it alone refuses, so what is refused, and how, is decided in one place.
"""

import re
import time
from email.utils import formatdate

from classifier.serving.body import parse_json
from classifier.serving.errors import ApiError
from classifier.serving.json_provider import to_json
from classifier.serving.record import Record
from classifier.serving.requests import check_classify
from classifier.serving.routes import Serving, answer_classify

# Visible ASCII only, one line each: what a reader could see in two ways is not read here at all
_HEAD = re.compile(
    rb"POST /v1/classify HTTP/1\.1\r\n"
    rb"((?:[A-Za-z-]{1,40}: ?[!-~](?:[ -~]{0,2000}[!-~])?\r\n){1,20})\r\n"
)
_FIELD = re.compile(rb"([A-Za-z-]+): ?([ -~]*)\r\n")
_HOST = re.compile(rb"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9]+)*(?::[0-9]{1,4})?")
_LENGTH = re.compile(rb"[1-9][0-9]{0,6}")
_CONTENT_TYPES = (b"application/json", b"application/json; charset=utf-8")
_CONNECTIONS = {None: b"keep-alive", b"close": b"close"}
# Fields that change nothing about the answer, whatever they hold
_IDLE_FIELDS = frozenset((b"accept", b"user-agent", b"x-forwarded-for", b"x-forwarded-proto"))
_FIELDS = _IDLE_FIELDS | {b"host", b"content-type", b"content-length", b"connection"}
_FIELDS |= {b"x-request-id", b"x-request-start"}
_PATH = "/v1/classify"


class HotRoute:
    """Answers raw requests; for the one thread that reads the sockets."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._release_id = serving.settings.release_id.encode()
        # Who may ask is checked on the full path alone
        self._is_open = serving.settings.api_keys_path is None
        self._date, self._date_until = b"", 0.0

    def answer(self, received: bytes) -> tuple[bytes, bool] | None:
        """Return the whole answer, and whether the connection ends with it; None: not for here."""
        match = _HEAD.match(received) if self._is_open else None
        if match is None:
            return None
        pairs = _FIELD.findall(match[1])
        fields = {name.lower(): value for name, value in pairs}
        if len(fields) != len(pairs) or not fields.keys() <= _FIELDS:
            return None
        body = received[match.end() :]
        if len(body) > self._serving.settings.body_limit_bytes:
            return None
        connection = _CONNECTIONS.get(fields.get(b"connection"))
        if connection is None or not _is_plain(fields, len(body)):
            return None
        moment = fields.get(b"x-request-start")
        given_id = fields.get(b"x-request-id", b"").decode()
        record = Record(given_id, None if moment is None else moment.decode(), _PATH)
        content = self._classify(body, record)
        if content is None:
            return None
        head = (
            b"HTTP/1.1 200 OK\r\nServer: gunicorn\r\nDate: %b\r\nConnection: %b\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n"
            b"X-Request-ID: %b\r\nX-Release-ID: %b\r\nCache-Control: no-store\r\n\r\n"
            % (self._now(), connection, len(content), record.request_id.encode(), self._release_id)
        )
        self._serving.finish(record, "POST", 200)
        return head + content, connection == b"close"

    def _classify(self, body: bytes, record: Record) -> bytes | None:
        serving = self._serving
        try:
            value = parse_json(body, "the body")
            asked = check_classify(value, serving.bundle.limits, serving.settings)
            if len(asked.texts) > 1:  # takes long: not in the thread that reads the sockets
                return None
            return to_json(answer_classify(serving, asked, record))
        except ApiError:
            return None
        except Exception:  # noqa: BLE001 - whatever broke, the full path meets it again and tells it
            return None

    def _now(self) -> bytes:
        now = time.time()
        if not self._date_until - 1 <= now < self._date_until:
            self._date_until = int(now) + 1
            self._date = formatdate(int(now), usegmt=True).encode()
        return self._date


def _is_plain(fields: dict[bytes, bytes], body_length: int) -> bool:
    length = fields.get(b"content-length", b"")
    return (
        _LENGTH.fullmatch(length) is not None
        and int(length) == body_length
        and fields.get(b"content-type") in _CONTENT_TYPES
        and _HOST.fullmatch(fields.get(b"host", b"")) is not None
    )
