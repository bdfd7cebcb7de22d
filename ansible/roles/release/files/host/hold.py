"""One change of a host's releases at a time."""

import contextlib
import fcntl
import getpass
import os
import time
from collections.abc import Iterator

import lease
from layout import Layout, ReleaseError

PATIENCE_SECONDS = 60  # for what a run left behind that is gone: it ends by itself


@contextlib.contextmanager
def held(layout: Layout, owner: dict, over: str = "") -> Iterator[None]:
    """Hold the host for `owner`, whose lease is taken, or renewed where it is held already."""
    answer = lease.take(owner, over)
    if not answer["taken"]:
        raise ReleaseError(answer["error"], holder=answer["holder"])
    try:
        with working(layout):
            yield
    finally:
        if not answer["renewed"]:
            lease.free(owner)


@contextlib.contextmanager
def working(layout: Layout, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """One program at work at a time; the kernel frees this when it ends, however it ends."""
    deadline = time.monotonic() + patience
    with (layout.root / "lock").open("a+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise ReleaseError(
                        "Another release program is at work on this host. Wait for its end."
                    ) from error
                time.sleep(0.2)
        yield


def own(reason: str) -> dict:
    """The owner where nobody named one: whoever calls the program on the host itself."""
    return {"token": f"host:{os.getpid()}:", "who": f"{getpass.getuser()} on the host",
            "reason": reason}  # fmt: skip
