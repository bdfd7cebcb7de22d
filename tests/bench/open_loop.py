"""An open-loop client: requests leave on schedule, whatever became of those before them.

Plain sockets and one thread, so that it can offer several times what a server can take. A
request's time counts from when it was due.
"""

import contextlib
import resource
import select
import socket
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

_LONGEST_SECONDS = 10
_CONNECTIONS = 2048  # a pause of the server for less than 0.1 s uses up no more
_ANSWER_BYTES = 65_536


@dataclass
class Outcome:
    """What became of the requests: (due, seconds) of those answered with 200, and the statuses.

    `slowest_refusal` is of the answers that are no 200; times in seconds.
    """

    answered: list[tuple[float, float]] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    refusals: list[tuple[float, float]] = field(default_factory=list)

    def percentile_ms(self, share: int) -> float:
        """Return that percentile of the times of requests answered with 200."""
        times = [seconds for _, seconds in self.answered]
        return statistics.quantiles(times, n=100, method="inclusive")[share - 1] * 1e3


class OpenLoop:
    """Sends one request, again and again, to 127.0.0.1:`port` at a steady rate."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        self._port = port
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def run(self, per_second: float, seconds: float) -> Outcome:
        """Send for `seconds`, wait for the last answers, and return what became of all."""
        self._idle: list[socket.socket] = [self._connect() for _ in range(16)]
        self._busy: dict[int, tuple[socket.socket, float]] = {}
        self._epoll = select.epoll()
        outcome = Outcome()
        begun = time.monotonic()
        sent, total = 0, int(per_second * seconds)
        while sent < total or self._busy:
            now = time.monotonic()
            while sent < total and (due := begun + sent / per_second) <= now:
                self._send(due, outcome)
                sent += 1
            if sent == total and now > begun + seconds + _LONGEST_SECONDS:
                break
            wait = begun + sent / per_second - time.monotonic() if sent < total else 0.1
            for fd, _ in self._epoll.poll(max(0.0, wait)):
                self._receive(fd, outcome)
        outcome.statuses["none"] += len(self._busy)
        for connection in [*self._idle, *(each for each, _ in self._busy.values())]:
            connection.close()
        self._epoll.close()
        return outcome

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), _LONGEST_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _send(self, due: float, outcome: Outcome) -> None:
        if not self._idle and len(self._busy) >= _CONNECTIONS:
            outcome.statuses["no connection"] += 1
            return
        connection = self._idle.pop() if self._idle else self._connect()
        connection.sendall(self._request)
        self._busy[connection.fileno()] = (connection, due)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _receive(self, fd: int, outcome: Outcome) -> None:
        connection, due = self._busy.pop(fd)
        self._epoll.unregister(fd)
        answer = b""
        with contextlib.suppress(OSError):
            answer = connection.recv(_ANSWER_BYTES)
            while answer and not _is_whole(answer) and (more := connection.recv(_ANSWER_BYTES)):
                answer += more
        seconds = time.monotonic() - due
        status = answer[9:12].decode() if _is_whole(answer) else "broken"
        outcome.statuses[status] += 1
        (outcome.answered if status == "200" else outcome.refusals).append((due, seconds))
        if status == "broken" or b"\r\nConnection: close" in answer:
            connection.close()
        else:
            self._idle.append(connection)


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    _, found, rest = head.partition(b"\r\nContent-Length: ")
    return bool(end and found) and len(body) >= int(rest.split(b"\r\n", 1)[0])
