"""An open-loop client: requests leave on schedule, whatever became of those before them.

Each request's latency counts from the time at which it was due, so a stall of the server, or of
this client, is seen by all requests that it delays. Connections are kept alive, nothing is retried.
"""

import asyncio
import contextlib
import json
import os
import threading
import time
from dataclasses import dataclass

PORT = 80
LONGEST_SECONDS = 30
IDLE_SECONDS = 10  # below keepalive_timeout of Nginx: this side ends idle connections


@dataclass(slots=True)
class Exchange:
    """One request: when it was due, sent and answered (time.monotonic()), and what came back.

    `failure` is empty, or the reason for which the request counts as lost.
    """

    number: int
    due: float
    sent: float = 0.0
    done: float = 0.0
    release: str = ""
    model: str = ""
    label: str = ""
    failure: str = ""


class Load:
    """Sends classify requests to a host from entering to leaving the context.

    `text(number)` makes each request's text. `exchanges` holds all requests, in order; those not
    done yet have `done` 0.
    """

    def __init__(self, address, per_second, text):
        self._address, self._per_second, self._text = address, per_second, text
        self._idle = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()))
        self.exchanges = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    async def _send_all(self):
        with contextlib.suppress(PermissionError):  # this thread's lateness would count as latency
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
        began, pending = time.monotonic(), set()
        while not self._stop.is_set():
            due = began + len(self.exchanges) / self._per_second
            await asyncio.sleep(max(0, due - time.monotonic()))
            exchange = Exchange(len(self.exchanges), due)
            self.exchanges.append(exchange)
            task = asyncio.create_task(self._send(exchange))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        for connection in self._idle:
            connection.close()

    async def _send(self, exchange):
        connection = self._take() or Connection(self._address)
        exchange.sent = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await connection.ask(exchange, self._text(exchange.number))
        except (OSError, EOFError, TimeoutError, ValueError, LookupError) as error:
            exchange.failure = f"{type(error).__name__}: {error}"
            connection.close()
        exchange.done = time.monotonic()
        if connection.is_open():
            self._idle.append(connection)

    def _take(self):
        """The connection used last, unless it is over: closed by Nginx, or idle for long."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open() and time.monotonic() - connection.used < IDLE_SECONDS:
                return connection
            connection.close()
        return None


class Connection:
    """One kept-alive connection; it opens with its first request, and ends as HTTP says."""

    def __init__(self, address):
        self._address = address
        self._reader = self._writer = None
        self.used = 0.0

    def is_open(self):
        closed = self._writer is None or self._writer.is_closing() or self._reader.at_eof()
        return not closed

    def close(self):
        if self._writer is not None:
            self._writer.close()

    async def ask(self, exchange, text):
        """Send the text and note the answer."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._address, PORT)
        body = json.dumps({"text": text}).encode()
        self._writer.write(
            f"POST /v1/classify HTTP/1.1\r\nHost: {self._address}\r\n"
            f"X-Request-ID: load-{exchange.number}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        answer = json.loads(await self._reader.readexactly(int(headers["content-length"])))
        if headers.get("connection") == "close":
            self.close()
        self.used = time.monotonic()
        _note(exchange, int(first.split()[1]), headers, answer)


def _note(exchange, status, headers, answer):
    if status != 200:
        exchange.failure = f"{status} {answer['error']['code']}"
        return
    exchange.release, exchange.model = answer["release_id"], answer["model_id"]
    exchange.label = answer["results"][0]["label"]
    expected = f"load-{exchange.number}"
    if not headers["x-request-id"] == answer.get("request_id", expected) == expected:
        exchange.failure = f"another request's id: {headers['x-request-id']}"
