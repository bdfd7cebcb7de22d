"""Waiting for many connections at once, in the way that the worker does it."""

from collections.abc import Callable
from select import EPOLLEXCLUSIVE, EPOLLIN, epoll
from typing import Any

from gunicorn.sock import BaseSocket


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
