"""A Gunicorn worker that answers the hot route in its event loop and leaves the rest to threads.

Gunicorn's threaded worker hands each connection to a thread and back, which costs several times
what a prediction does. This one reads a connection as soon as it has data. What HotRoute answers
is done there and then; everything else goes, with the bytes already read, to a thread, Gunicorn's
own parser and the application, as ever.
"""

import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.sock import BaseSocket
from gunicorn.workers.gthread import TConn, ThreadWorker

from classifier.serving.hot_route import HotRoute
from classifier.serving.poller import Poller

RECEIVE_BYTES = 131_072  # more than the body limit by default; a larger request is not hot
ACCEPTS_IN_A_ROW = 16  # before other connections get their turn
NOTIFY_SECONDS = 1.0
LINGER_SECONDS = 2.0  # for a client to read its last answer


class Worker(ThreadWorker):
    """ThreadWorker with the hot route in front of its threads."""

    def run(self) -> None:
        """Serve until told to stop, then finish what was begun."""
        self._hot = HotRoute(self.wsgi.extensions["serving"])
        self._notified = 0.0
        # Made once: bytes of this size would be mapped and unmapped for each request
        self._room = memoryview(bytearray(RECEIVE_BYTES))
        self._names = {listener: listener.getsockname() for listener in self.sockets}
        self.poller.close()
        self.poller = Poller()
        super().run()

    def notify(self) -> None:
        """Show the master a sign of life, not more often than it can matter."""
        now = time.monotonic()
        if now - self._notified >= NOTIFY_SECONDS:
            self._notified = now
            super().notify()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what is due on all connections."""
        self.poller.dispatch(timeout)

    def accept(self, listener: BaseSocket) -> None:
        """Take new connections, and serve each before the next: others are left to the others."""
        for _ in range(ACCEPTS_IN_A_ROW):
            try:
                fd, address = listener.sock._accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            self.nr_conns += 1
            # The plain type of C: most connections end before anything more is asked of it
            client = socket.SocketType(listener.FAMILY, socket.SOCK_STREAM, 0, fd)
            self._serve(client, partial(self._connection, client, address, listener))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Serve the next request on a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._serve(client, lambda: conn)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Serve a connection that had not said anything when it was taken."""
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        self._serve(client, lambda: conn)

    def finish_request(self, conn: TConn, fs: Future) -> None:
        """Take a connection back from its thread; Gunicorn's own way waits here for its end."""
        is_over = not fs.cancelled() and fs.exception() is None and not fs.result()
        if not is_over:
            return super().finish_request(conn, fs)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return self._close(conn.sock)
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self.pending_conns.append(conn)
        callback = partial(self._drain, conn)
        return self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _drain(self, conn: TConn, client: socket.socket) -> None:
        """Drop what still comes from a client that was answered for the last time."""
        try:
            size = client.recv_into(self._room, RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size == 0:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._close(client)

    def _connection(self, client: Any, address: Any, listener: BaseSocket) -> TConn:
        """Return what Gunicorn's own ways take of a new connection."""
        return TConn(
            self.cfg, socket.socket(fileno=client.detach()), address, self._names[listener]
        )

    def _serve(self, client: Any, connection: Callable[[], TConn]) -> None:
        """Answer what has come from `client`, or have a thread do so, or wait for something."""
        try:
            size = client.recv_into(self._room, RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return self._await_data(connection())
        except OSError:
            size = 0
        if size == 0:
            return self._close(client)
        received = bytes(self._room[:size])
        is_ordinary = self.alive and self.nr < self.max_requests - 1
        answer = self._hot.answer(received) if is_ordinary else None
        if answer is None:
            return self._hand_over(connection(), received)
        self.nr += 1
        return self._send(client, connection, *answer)

    def _send(
        self, client: Any, connection: Callable[[], TConn], answer: bytes, is_last: bool
    ) -> None:
        try:
            sent = client.send(answer, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:
            return self._close(client)
        if sent < len(answer):  # the client reads slowly: a thread waits for it
            conn = connection()
            future = self.tpool.submit(_send_rest, conn.sock, answer[sent:], is_last)
            future.add_done_callback(
                lambda done: self.method_queue.defer(self._finish_send, conn, done)
            )
            return None
        return self._close(client) if is_last else self._keep(connection())

    def _finish_send(self, conn: TConn, done: Future) -> None:
        if done.exception() is None and done.result():
            self._keep(conn)
        else:
            self._close(conn.sock)

    def _hand_over(self, conn: TConn, received: bytes) -> None:
        conn.init()
        conn.parser.unreader.unread(received)
        self.enqueue_req(conn)

    def _keep(self, conn: TConn) -> None:
        conn.init()
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        callback = partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _await_data(self, conn: TConn) -> None:
        conn.set_timeout()
        self.pending_conns.append(conn)
        callback = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _close(self, client: Any) -> None:
        self.nr_conns -= 1
        client.close()


def _send_rest(client: socket.socket, rest: bytes, is_last: bool) -> bool:
    client.setblocking(True)
    client.sendall(rest)
    return not is_last
