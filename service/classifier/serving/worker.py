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
from functools import partial
from select import EPOLLEXCLUSIVE, EPOLLIN, epoll
from typing import Any

from gunicorn import util
from gunicorn.sock import BaseSocket
from gunicorn.workers.gthread import TConn, ThreadWorker

from classifier.serving.hot_route import HotRoute

RECEIVE_BYTES = 131_072  # more than the body limit by default; a larger request is not hot
ACCEPTS_IN_A_ROW = 16  # before other connections get their turn
NOTIFY_SECONDS = 1.0


class Poller:
    """What ThreadWorker uses of a selector, with one worker woken for one new connection."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self._watched: dict[int, tuple[Any, Callable[[Any], None]]] = {}

    def register(self, watched: Any, _: int, callback: Callable[[Any], None]) -> None:
        """Call `callback` with `watched` whenever it can be read."""
        fd = watched if isinstance(watched, int) else watched.fileno()
        exclusive = EPOLLEXCLUSIVE if isinstance(watched, BaseSocket) else 0
        self._epoll.register(fd, EPOLLIN | exclusive)
        self._watched[fd] = (watched, callback)

    def unregister(self, watched: Any) -> None:
        """Forget `watched`; KeyError when it is not known."""
        fd = watched if isinstance(watched, int) else watched.fileno()
        del self._watched[fd]
        self._epoll.unregister(fd)

    def dispatch(self, timeout: float) -> None:
        """Wait until something can be read, and call what was registered for it."""
        for fd, _ in self._epoll.poll(timeout):
            if fd in self._watched:  # not forgotten by a callback before
                watched, callback = self._watched[fd]
                callback(watched)

    def close(self) -> None:
        """Forget everything."""
        self._epoll.close()


class Worker(ThreadWorker):
    """ThreadWorker with the hot route in front of its threads."""

    def run(self) -> None:
        """Serve until told to stop, then finish what was begun."""
        self._hot = HotRoute(self.wsgi.extensions["serving"])
        self._notified = 0.0
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
                client, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            self.nr_conns += 1
            conn = TConn(self.cfg, client, address, listener.getsockname())
            self._serve(conn, self._await_first_data)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Serve the next request on a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._serve(conn, self._keep)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Serve a connection that had not said anything when it was taken."""
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        self._serve(conn, self._await_first_data)

    def _serve(self, conn: TConn, wait: Callable[[TConn], None]) -> None:
        """Answer what has come on `conn`, or have a thread do so; `wait` when nothing has."""
        try:
            received = conn.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return wait(conn)
        except OSError:
            return self._close(conn)
        if not received:
            return self._close(conn)
        is_ordinary = self.alive and self.nr < self.max_requests - 1
        answer = self._hot.answer(received) if is_ordinary else None
        if answer is None:
            return self._hand_over(conn, received)
        self.nr += 1
        return self._send(conn, *answer)

    def _send(self, conn: TConn, answer: bytes, is_last: bool) -> None:
        try:
            sent = conn.sock.send(answer)
        except BlockingIOError:
            sent = 0
        except OSError:
            return self._close(conn)
        if sent < len(answer):  # the client reads slowly: a thread waits for it
            future = self.tpool.submit(_send_rest, conn.sock, answer[sent:], is_last)
            future.add_done_callback(
                lambda done: self.method_queue.defer(self._finish_send, conn, done)
            )
            return None
        return self._close(conn) if is_last else self._keep(conn)

    def _finish_send(self, conn: TConn, done: Any) -> None:
        if done.exception() is None and done.result():
            self._keep(conn)
        else:
            self._close(conn)

    def _hand_over(self, conn: TConn, received: bytes) -> None:
        conn.init()
        conn.parser.unreader.unread(received)
        self.enqueue_req(conn)

    def _keep(self, conn: TConn) -> None:
        conn.init()
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        callback = partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _await_first_data(self, conn: TConn) -> None:
        conn.set_timeout()
        self.pending_conns.append(conn)
        callback = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        util.close(conn.sock)


def _send_rest(client: socket.socket, rest: bytes, is_last: bool) -> bool:
    client.setblocking(True)
    client.sendall(rest)
    return not is_last
