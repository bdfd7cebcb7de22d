"""An open-loop client: requests leave at a steady rate, whatever became of those before them."""

import asyncio
import json
import threading
import time
from collections import Counter

QUESTION = json.dumps({"text": "My parcel should have been here on Monday. Where is it?"}).encode()


class Load:
    """Sends classify requests to a host from entering to leaving the context.

    Keep-alive connections, no retries. `failures` counts what was not a whole 200 by its kind;
    `releases` holds (seconds, release id) of each answer, in the order in which they came.
    """

    def __init__(self, address, per_second):
        self._address, self._per_second = address, per_second
        self._request = (
            f"POST /v1/classify HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(QUESTION)}\r\n\r\n"
        ).encode() + QUESTION
        self._idle = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()))
        self.sent = 0
        self.failures = Counter()
        self.releases = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    async def _send_all(self):
        began, pending = time.monotonic(), set()
        while not self._stop.is_set():
            task = asyncio.create_task(self._send())
            pending.add(task)
            task.add_done_callback(pending.discard)
            self.sent += 1
            await asyncio.sleep(max(0, began + self.sent / self._per_second - time.monotonic()))
        await asyncio.gather(*pending)
        for _, writer in self._idle:
            writer.close()

    async def _send(self):
        try:
            connection = self._idle.pop() if self._idle else await self._connect()
            status, close, body = await asyncio.wait_for(self._exchange(*connection), 30)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.failures[type(error).__name__] += 1
            return
        if not close:
            self._idle.append(connection)
        if status == 200:
            self.releases.append((time.monotonic(), json.loads(body)["release_id"]))
        else:
            self.failures[status] += 1

    async def _connect(self):
        return await asyncio.open_connection(self._address, 80)

    async def _exchange(self, reader, writer):
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers.get("connection") == "close", body
