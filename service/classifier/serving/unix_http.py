"""Asking a service on a Unix socket for JSON, by a deadline that no answer can stretch."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any

LONGEST_BODY = 1_048_576


class AskError(Exception):
    """A question without a usable answer; `passing` when asking again may help."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


class AskTimeoutError(AskError):
    """The deadline passed before there was a whole answer."""


@dataclass(frozen=True)
class Answer:
    """What came back for `question` ("GET /readyz"), and how many seconds it took."""

    question: str
    status: int
    headers: http.client.HTTPMessage
    body: Any
    seconds: float


class Connection:
    """One kept-alive connection to the socket at `path`; all waiting on it ends at `deadline`.

    The deadline is a time.monotonic() value.
    """

    def __init__(self, path: str, deadline: float) -> None:
        """Connect; AskError when nobody listens there."""
        self._socket = _DeadlineSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.deadline = deadline
        self._http = http.client.HTTPConnection("localhost")
        self._http.auto_open = False  # another connection could reach another worker
        try:
            self._socket.settimeout(self._socket.remaining())
            self._socket.connect(path)
        except TimeoutError as error:
            self._socket.close()
            raise AskTimeoutError(f"{path} took no connection in time") from error
        except OSError as error:
            self._socket.close()
            passing = isinstance(error, FileNotFoundError | ConnectionError | BlockingIOError)
            reason = f"nobody listens at {path} ({error.strerror or error})"
            raise AskError(reason, passing=passing) from error
        self._http.sock = self._socket

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request and return its JSON answer, whatever its status."""
        begun = time.monotonic()
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        question = f"{method} {path}"
        try:
            self._http.request(method, path, data, headers)
            response = self._http.getresponse()
            content = response.read(LONGEST_BODY + 1)
        except TimeoutError as error:
            raise AskTimeoutError(f"{question} got no whole answer in time") from error
        except (ConnectionError, http.client.IncompleteRead) as error:
            raise AskError(f"{question} ended without an answer", passing=True) from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            reason = f"{question} was answered with something that is not HTTP"
            raise AskError(f"{reason} ({type(error).__name__} {str(error)[:80]!r})") from error
        value = _parse(question, response.status, content)
        seconds = time.monotonic() - begun
        return Answer(question, response.status, response.headers, value, seconds)

    def close(self) -> None:
        """End the connection."""
        self._http.close()
        self._socket.close()


class _DeadlineSocket(socket.socket):
    """A socket whose reads and writes all end at one time, however often bytes drip in."""

    deadline = 0.0

    def remaining(self) -> float:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.remaining())
        super().sendall(*args)

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.remaining())
        return super().recv_into(*args)


def _parse(question: str, status: int, content: bytes) -> Any:
    try:
        if len(content) > LONGEST_BODY:
            raise ValueError(f"more than {LONGEST_BODY} bytes")
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        start = content[:80].decode("utf-8", "replace")
        raise AskError(f"{question} answered {status} without JSON: {start!r}") from error
